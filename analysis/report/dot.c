/* Graphviz as a subprocess. Invariant: no shell; the names of nodes are numbers, so nothing of a model reaches it; its
 * output is read as numbers within known bounds and never shown; it is killed when it takes longer than DOT_SECONDS or
 * says more than DOT_OUTPUT. The input is an unlinked file, so that a child that ends early raises no SIGPIPE here.
 * Both directions of drawing are tried and the one that fits a page better is kept. Cost: two runs, some 50 ms each. */
#include "analysis/report/report.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DOT_SECONDS 5
#define DOT_OUTPUT ((size_t)4 << 20)
#define DOT_PAGE 700.0 /* width that a page has room for */

extern char **environ;

/* --- the question --- */

static bool dot_question(const graph *self, bool sideways, FILE *out)
{
  fprintf(out, "digraph g { rankdir=%s; nodesep=0.42; ranksep=0.55; splines=true;\n", sideways ? "LR" : "TB");
  fputs("node [shape=box fixedsize=true label=\"\"]; edge [dir=none];\n", out);
  for (int32_t i = 0; i < self->nnode; i++)
    fprintf(out, "n%d [width=%.3f height=%.3f];\n", (int)i, self->nodes[i].w / 72, self->nodes[i].h / 72);
  for (int32_t e = 0; e < self->nedge; e++) {
    const graph_edge *const edge = &self->edges[e];
    fprintf(out, "n%d -> n%d [color=\"#%06x\"", (int)edge->from, (int)edge->to, (unsigned)e);
    if (self->labels)
      fputs(" label=<<TABLE BORDER=\"0\" CELLBORDER=\"0\" FIXEDSIZE=\"TRUE\" WIDTH=\"74\" "
            "HEIGHT=\"32\"><TR><TD></TD></TR></TABLE>>",
            out);
    fputs("];\n", out);
  }
  fputs("}\n", out);
  return fflush(out) == 0 && !ferror(out) && fseek(out, 0, SEEK_SET) == 0;
}

/* --- the process --- */

static double seconds_now(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Everything the child says, until it ends, takes too long or says too much. */
static bool read_all(int from, text_buffer *out)
{
  const double end = seconds_now() + DOT_SECONDS;
  char block[16384];
  for (;;) {
    const double left = end - seconds_now();
    struct pollfd waiting = {from, POLLIN, 0};
    const int ready = left > 0 ? poll(&waiting, 1, (int)(1000 * left) + 1) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t got = read(from, block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0;
    text_put(out, block, (size_t)got);
    if (out->failed || out->length > DOT_OUTPUT) return false;
  }
}

static bool dot_spawn(int input, int output, pid_t *child)
{
  static const char *const arguments[] = {"dot", "-Tplain", NULL};
  posix_spawn_file_actions_t actions;
  union {
    const char *const *from;
    char *const *to;
  } argv = {arguments}; /* posix_spawnp does not change what it is given */
  if (posix_spawn_file_actions_init(&actions)) return false;
  bool good = posix_spawn_file_actions_adddup2(&actions, input, 0) == 0 &&
              posix_spawn_file_actions_adddup2(&actions, output, 1) == 0 &&
              posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0) == 0;
  good = good && posix_spawnp(child, "dot", &actions, NULL, argv.to, environ) == 0;
  posix_spawn_file_actions_destroy(&actions);
  return good;
}

static bool close_on_exec(int fd)
{
  return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static bool dot_run(const graph *self, bool sideways, text_buffer *answer)
{
  int ends[2];
  pid_t child;
  FILE *const input = tmpfile();
  if (!input) return false;
  if (!dot_question(self, sideways, input) || pipe(ends) != 0) {
    fclose(input);
    return false;
  }
  bool good = close_on_exec(ends[0]) && close_on_exec(ends[1]) && close_on_exec(fileno(input));
  const bool started = good && dot_spawn(fileno(input), ends[1], &child);
  close(ends[1]);
  good = started && read_all(ends[0], answer);
  close(ends[0]);
  fclose(input);
  if (!started) return false;
  int status = 0;
  if (!good) kill(child, SIGKILL);
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* --- the answer --- */

#define DOT_TOKENS (2 * GRAPH_POINTS + 12)

/* Splits a line at its blanks; no token of ours holds one. */
static int32_t tokens_of(char *line, char **token)
{
  int32_t count = 0;
  for (char *at = line; *at && count < DOT_TOKENS;) {
    at += strspn(at, " ");
    if (!*at) break;
    token[count++] = at;
    at += strcspn(at, " ");
    if (*at) *at++ = 0;
  }
  return count;
}

static bool number_of(const char *token, double *out)
{
  char *end;
  *out = strtod(token, &end);
  return end != token && *end == 0 && fabs(*out) < 1e5;
}

static bool index_of(const char *token, const char *before, int base, int32_t below, int32_t *out)
{
  char *end;
  const size_t length = strlen(before);
  if (strncmp(token, before, length) != 0) return false;
  const long value = strtol(token + length, &end, base);
  if (end == token + length || *end || value < 0 || value >= below) return false;
  *out = (int32_t)value;
  return true;
}

static bool read_node(graph *self, char **token, int32_t count, double height)
{
  int32_t id;
  double x, y;
  if (count < 4 || !index_of(token[1], "n", 10, self->nnode, &id) || !number_of(token[2], &x) ||
      !number_of(token[3], &y))
    return false;
  self->nodes[id].x = 72 * x;
  self->nodes[id].y = 72 * (height - y);
  return true;
}

static bool read_edge(graph *self, char **token, int32_t count, double height)
{
  int32_t id, points;
  if (count < 6 || !index_of(token[count - 1], "#", 16, self->nedge, &id)) return false;
  if (!index_of(token[3], "", 10, GRAPH_POINTS + 1, &points) || points < 4 || points % 3 != 1 ||
      count < 4 + 2 * points + 2)
    return false;
  graph_edge *const edge = &self->edges[id];
  for (int32_t k = 0; k < points; k++) {
    double x, y;
    if (!number_of(token[4 + 2 * k], &x) || !number_of(token[5 + 2 * k], &y)) return false;
    edge->x[k] = 72 * x;
    edge->y[k] = 72 * (height - y);
  }
  edge->points = points;
  double x = edge->x[points / 2] / 72, y = height - edge->y[points / 2] / 72;
  if (count >= 4 + 2 * points + 5 && (!number_of(token[count - 4], &x) || !number_of(token[count - 3], &y)))
    return false;
  edge->label_x = 72 * x;
  edge->label_y = 72 * (height - y);
  return true;
}

/* Places every node and every edge, or says that something is missing. */
static bool dot_read(graph *self, char *answer)
{
  char *token[DOT_TOKENS];
  double width = 0, height = 0;
  int32_t nodes = 0, edges = 0;
  for (char *line = answer; line && *line;) {
    char *const next = strchr(line, '\n');
    if (next) *next = 0;
    const int32_t count = tokens_of(line, token);
    if (count >= 4 && strcmp(token[0], "graph") == 0) {
      if (!number_of(token[2], &width) || !number_of(token[3], &height)) return false;
    } else if (count > 0 && strcmp(token[0], "node") == 0) {
      if (!read_node(self, token, count, height)) return false;
      nodes++;
    } else if (count > 0 && strcmp(token[0], "edge") == 0) {
      if (!read_edge(self, token, count, height)) return false;
      edges++;
    }
    line = next ? next + 1 : NULL;
  }
  self->width = 72 * width;
  self->height = 72 * height;
  return nodes == self->nnode && edges == self->nedge;
}

static bool dot_try(graph *self, bool sideways)
{
  text_buffer answer = {0};
  const bool good = dot_run(self, sideways, &answer) && answer.data && dot_read(self, answer.data);
  text_clear(&answer);
  return good;
}

bool dot_layout(graph *self)
{
  if (!dot_try(self, true)) return false;
  const double wide = self->width;
  if (wide > DOT_PAGE && dot_try(self, false) && self->width > wide && !dot_try(self, true)) return false;
  self->layout = "Graphviz dot";
  return true;
}
