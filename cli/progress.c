/* Progress of long work. Invariant: on a terminal one line is rewritten and cleared before anything else is said; else
 * there is at most a line every PLAIN_EVERY seconds, and only with -v. The rate and the time left are those since the
 * first call, so that a resumed run does not count what others did. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLAIN_EVERY 5.0    /* s */
#define TERMINAL_EVERY 0.2 /* s */
#define RATE_FROM 0.5      /* s before a rate is worth showing */

void cli_progress_begin(cli_progress *self, const cli *command, const char *unit)
{
  const char *const terminal = getenv("TERM");
  memset(self, 0, sizeof *self);
  self->command = command;
  self->unit = unit;
  self->terminal = isatty(STDERR_FILENO) && !command->given.quiet && !(terminal && strcmp(terminal, "dumb") == 0);
}

/* 12300000 as "12.3 M" */
static void format_amount(double value, char out[32])
{
  static const char *const letters[] = {"", " k", " M", " G", " T"};
  int step = 0;
  for (; value >= 1000 && step < 4; step++) value /= 1000;
  snprintf(out, 32, "%.3g%s", value, letters[step]);
}

static void format_left(double seconds, char out[48])
{
  if (!(seconds < 1e9)) {
    snprintf(out, 48, "a long time");
  } else if (seconds < 60) {
    snprintf(out, 48, "%.0f s", seconds);
  } else if (seconds < 3600) {
    snprintf(out, 48, "%d min %d s", (int)(seconds / 60), (int)seconds % 60);
  } else {
    snprintf(out, 48, "%ld h %ld min", (long)(seconds / 3600), (long)(seconds / 60) % 60);
  }
}

static void show(cli_progress *self, double done, double total, double seconds)
{
  char line[256], rate[32], left[48];
  const double share = total > 0 ? done / total : 0, passed = seconds - self->seconds_first;
  size_t at = (size_t)snprintf(line, sizeof line, "%3.0f %%", 100 * (share < 1 ? share : 1));
  if (self->unit) at += (size_t)snprintf(line + at, sizeof line - at, "  %.0f of %.0f %s", done, total, self->unit);
  if (self->events > self->events_first && passed > RATE_FROM) {
    format_amount((double)(self->events - self->events_first) / passed, rate);
    at += (size_t)snprintf(line + at, sizeof line - at, "  %s events/s", rate);
  }
  if (done > self->done_first && passed > RATE_FROM && done < total) {
    format_left(passed * (total - done) / (done - self->done_first), left);
    snprintf(line + at, sizeof line - at, "  %s left", left);
  }
  if (self->terminal) {
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
  } else {
    fprintf(stderr, "%s\n", line);
  }
  self->shown = true;
}

int cli_progress_call(void *context, double done, double total, int64_t events, double seconds)
{
  cli_progress *const self = context;
  if (!self->started) {
    self->started = true;
    self->shown_last = seconds;
    self->done_first = done;
    self->seconds_first = seconds;
    self->events_first = events;
  }
  self->events = events;
  self->seconds = seconds;
  if (self->command->given.quiet || (!self->terminal && !self->command->given.verbose)) return 0;
  if (seconds - self->shown_last >= (self->terminal ? TERMINAL_EVERY : PLAIN_EVERY) ||
      (self->terminal && !self->shown)) {
    self->shown_last = seconds;
    show(self, done, total, seconds);
  }
  return 0;
}

void cli_progress_end(cli_progress *self)
{
  if (self->terminal && self->shown) {
    fputs("\r\033[K", stderr);
    fflush(stderr);
  }
  self->shown = false;
}
