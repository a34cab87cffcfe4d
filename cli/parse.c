/* The parser of command lines and of the values of options. Invariant: what it takes is what the tables say; a word
 * that is wrong is answered with the nearest that is right. Options may stand anywhere, as --name VALUE, --name=VALUE,
 * -x VALUE, -xVALUE or -xyz; -- ends them. It also keeps the command line that a dump records: only what makes the run
 * what it is, so that the name of the file or the number of threads does not change the file. */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MOST 64 /* characters of a word that may be a slip of a name */

/* --- nearest names --- */

/* Insertions, deletions, changes and swaps of neighbours between two words (optimal string alignment). */
static int distance(const char *a, const char *b)
{
  const int n = (int)strlen(a), m = (int)strlen(b);
  int row[3][WORD_MOST + 1];
  if (n > WORD_MOST || m > WORD_MOST) return WORD_MOST;
  for (int j = 0; j <= m; j++) row[0][j] = j;
  for (int i = 1; i <= n; i++) {
    int *const now = row[i % 3], *const before = row[(i + 2) % 3], *const first = row[(i + 1) % 3];
    now[0] = i;
    for (int j = 1; j <= m; j++) {
      int best = before[j - 1] + (a[i - 1] != b[j - 1]);
      if (before[j] + 1 < best) best = before[j] + 1;
      if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && first[j - 2] + 1 < best) {
        best = first[j - 2] + 1;
      }
      now[j] = best;
    }
  }
  return row[n % 3][m];
}

const char *cli_nearest(const char *word, int32_t count, const char *(*name_at)(const void *context, int32_t at),
                        const void *context)
{
  const size_t length = strlen(word);
  const char *nearest = NULL;
  int limit = length < 3 ? 1 : (int)(length / 3) + 1;
  for (int32_t i = 0; i < count; i++) {
    const char *const name = name_at(context, i);
    if (!name) continue;
    const bool begins = length > 1 && strncmp(name, word, length) == 0;
    const int far = begins ? 1 : distance(word, name);
    if (far < limit || (far == limit && !nearest && far < (int)strlen(name))) {
      nearest = name;
      limit = far;
    }
  }
  return nearest;
}

static const char *option_name(const void *context, int32_t at)
{
  const cli_command *command = context;
  return cli_options[at].commands & command->mask ? cli_options[at].name : NULL;
}

/* --- lists and the recorded line --- */

bool cli_list_add(cli_list *self, const char *item)
{
  const size_t need = (size_t)self->count + 1;
  if ((need & (need - 1)) == 0) { /* at 1, 2, 4, ...: room for as many again */
    const char **grown = realloc(self->item, 2 * need * sizeof *grown);
    if (!grown) return false;
    self->item = grown;
  }
  self->item[self->count++] = item;
  return true;
}

/* Adds a word to the line, quoted for a shell where that is needed. */
static bool line_add(cli *self, const char *word)
{
  const size_t old = self->line ? strlen(self->line) : 0;
  const bool plain = *word && word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                                "_-+=./:,%@^[]")] == 0;
  char *line = realloc(self->line, old + 4 * strlen(word) + 4); /* a quote becomes '\'' */
  if (!line) return false;
  self->line = line;
  line += old;
  if (old) *line++ = ' ';
  if (!plain) *line++ = '\'';
  for (; *word; word++) {
    if (*word == '\'') {
      memcpy(line, "'\\'", 3);
      line += 3;
    }
    *line++ = *word;
  }
  if (!plain) *line++ = '\'';
  *line = 0;
  return true;
}

/* --- values --- */

static bool value_time(const char *text, double *out)
{
  static const struct {
    const char *unit;
    double seconds;
  } units[] = {{"", 1},      {"s", 1},      {"ms", 1e-3}, {"us", 1e-6}, {"\xC2\xB5s", 1e-6},
               {"ns", 1e-9}, {"ps", 1e-12}, {"min", 60},  {"h", 3600},  {"d", 86400}};
  char *end;
  char unit[8] = "";
  const double value = strtod(text, &end);
  if (end == text) return false;
  const size_t length = strlen(end), bracket = *end == '[';
  if (length >= sizeof unit || (bracket && end[length - 1] != ']')) return false;
  memcpy(unit, end + bracket, length - 2 * bracket);
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
    if (strcmp(unit, units[i].unit) == 0 && !(bracket && !*unit)) {
      /* 10ms is 10/1000, rounded once, as 0.01 is; 10 * 1e-3 may be its neighbour */
      *out = units[i].seconds < 1 ? value / round(1 / units[i].seconds) : value * units[i].seconds;
      return *out > 0 && isfinite(*out);
    }
  }
  return false;
}

static bool value_count(const char *text, double most, int64_t *out)
{
  char *end;
  errno = 0;
  const long long whole = strtoll(text, &end, 10);
  if (end != text && *end == 0 && errno == 0) {
    *out = whole;
  } else {
    const double value = strtod(text, &end); /* 1e6 */
    if (end == text || *end || !(fabs(value) < 9e15) || value != floor(value)) return false;
    *out = (int64_t)value;
  }
  return *out >= 1 && (double)*out <= most;
}

static bool value_seed(const char *text, uint64_t *out)
{
  char *end;
  const bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
  if (text[0] < '0' || text[0] > '9') return false;
  errno = 0;
  *out = strtoull(text, &end, hex ? 16 : 10);
  return *end == 0 && errno == 0;
}

static bool value_number(const char *text, double most, double *out)
{
  char *end;
  *out = strtod(text, &end);
  return end != text && *end == 0 && *out > 0 && *out < most;
}

#define CHOICES_MOST 8

/* Words between bars. */
typedef struct choice_list {
  char name[CHOICES_MOST][16];
  int32_t count;
} choice_list;

static void choices_split(const char *choices, choice_list *out)
{
  out->count = 0;
  while (*choices && out->count < CHOICES_MOST) {
    const int size = (int)strcspn(choices, "|");
    snprintf(out->name[out->count++], sizeof out->name[0], "%.*s", size, choices);
    choices += size;
    choices += *choices == '|';
  }
}

static const char *choice_name(const void *context, int32_t at)
{
  return ((const choice_list *)context)->name[at];
}

static bool value_chosen(const char *text, const char *choices)
{
  choice_list list;
  choices_split(choices, &list);
  for (int32_t i = 0; i < list.count; i++) {
    if (strcmp(list.name[i], text) == 0) return true;
  }
  return false;
}

/* What a value ought to be, for the message. */
static const char *value_wanted(const cli_option *option)
{
  switch (option->type) {
  case CLI_COUNT: return "a whole number from 1, such as 64 or 1e6";
  case CLI_FEW: return "a whole number from 1 to 4096";
  case CLI_SEED: return "a whole number from 0 to 18446744073709551615, or 0x...";
  case CLI_NUMBER: return "a number above 0";
  case CLI_SHARE: return "a number between 0 and 1";
  case CLI_TIME: return "a time above 0: seconds, or with ns, us, ms, s, min, h or d, such as 10ms";
  case CLI_FLAG:
  case CLI_TEXT:
  case CLI_LIST: break;
  }
  return option->choices ? option->choices : "a text";
}

static int option_set(cli *self, const cli_option *option, const char *value)
{
  char *const place = (char *)&self->given + option->place;
  bool good = true;
  switch (option->type) {
  case CLI_FLAG: *(bool *)(void *)place = true; break;
  case CLI_COUNT: good = value_count(value, 9e18, (int64_t *)(void *)place); break;
  case CLI_FEW: good = value_count(value, CLI_FEW_MOST, (int64_t *)(void *)place); break;
  case CLI_SEED: good = value_seed(value, (uint64_t *)(void *)place); break;
  case CLI_NUMBER: good = value_number(value, HUGE_VAL, (double *)(void *)place); break;
  case CLI_SHARE: good = value_number(value, 1, (double *)(void *)place); break;
  case CLI_TIME: good = value_time(value, (double *)(void *)place); break;
  case CLI_TEXT:
    good = option->choices ? value_chosen(value, option->choices) : *value != 0;
    *(const char **)(void *)place = value;
    break;
  case CLI_LIST:
    if (!cli_list_add((cli_list *)(void *)place, value)) return cli_error(self, NESS_NOMEM, NULL, "out of memory");
    break;
  }
  if (!good) {
    choice_list list = {.count = 0};
    char hint[64];
    choices_split(option->choices ? option->choices : "", &list);
    const char *const near = cli_nearest(value, list.count, choice_name, &list);
    snprintf(hint, sizeof hint, "did you mean %s?", near ? near : "");
    return cli_error(self, NESS_USAGE, near ? hint : NULL, "--%s %s: not %s%s", option->name, value,
                     option->choices ? "one of " : "", value_wanted(option));
  }
  char dashed[WORD_MOST];
  snprintf(dashed, sizeof dashed, "--%s", option->name);
  if (option->record && (!line_add(self, dashed) || (value && !line_add(self, value)))) {
    return cli_error(self, NESS_NOMEM, NULL, "out of memory");
  }
  return 0;
}

/* --- options --- */

static const cli_option *option_find(const cli *self, const char *name, size_t length, char letter)
{
  for (int32_t i = 0; i < cli_option_count; i++) {
    const cli_option *option = &cli_options[i];
    const bool named =
        letter ? option->letter == letter : strlen(option->name) == length && memcmp(option->name, name, length) == 0;
    if (named && option->commands & self->command->mask) return option;
  }
  return NULL;
}

static int option_unknown(const cli *self, const char *dashes, const char *name, size_t length)
{
  char word[WORD_MOST + 1] = "", hint[2 * WORD_MOST + 64], others[WORD_MOST] = "";
  if (length <= WORD_MOST) memcpy(word, name, length);
  const char *const near = length > 1 ? cli_nearest(word, cli_option_count, option_name, self->command) : NULL;
  for (int32_t i = 0; i < cli_option_count && !*others; i++) { /* known, but to another command */
    for (int32_t c = 0; strcmp(cli_options[i].name, word) == 0 && c < cli_command_count && !*others; c++) {
      if (cli_options[i].commands & cli_commands[c].mask) {
        snprintf(others, sizeof others, "%s", cli_commands[c].name);
      }
    }
  }
  if (near) {
    snprintf(hint, sizeof hint, "did you mean --%s?", near);
  } else if (*others) {
    snprintf(hint, sizeof hint, "'ness %s' has it; 'ness %s --help' lists the options", others, self->command->name);
  } else {
    snprintf(hint, sizeof hint, "'ness %s --help' lists the options", self->command->name);
  }
  return cli_error(self, NESS_USAGE, hint, "unknown option %s%.*s", dashes, (int)length, name);
}

/* --name, --name=VALUE or --name VALUE; *at is the place of the last word that was used. */
static int parse_long(cli *self, int argc, char **argv, int *at)
{
  const char *const name = argv[*at] + 2;
  const size_t length = strcspn(name, "=");
  const cli_option *option = option_find(self, name, length, 0);
  const char *value = name[length] == '=' ? name + length + 1 : NULL;
  if (!option) return option_unknown(self, "--", name, length);
  if (option->type == CLI_FLAG && value) {
    return cli_error(self, NESS_USAGE, NULL, "--%s takes no value", option->name);
  }
  if (option->type != CLI_FLAG && !value) {
    if (*at + 1 >= argc) {
      return cli_error(self, NESS_USAGE, NULL, "--%s needs a value: %s", option->name, value_wanted(option));
    }
    value = argv[++*at];
  }
  return option_set(self, option, value);
}

/* -v, -qv, -oFILE or -o FILE. */
static int parse_short(cli *self, int argc, char **argv, int *at)
{
  for (const char *letter = argv[*at] + 1; *letter; letter++) {
    const cli_option *option = option_find(self, NULL, 0, *letter);
    if (!option) return option_unknown(self, "-", letter, 1);
    const char *value = NULL;
    if (option->type != CLI_FLAG) {
      value = letter[1] ? letter + 1 : *at + 1 < argc ? argv[++*at] : NULL;
      if (!value) return cli_error(self, NESS_USAGE, NULL, "-%c needs a value: %s", *letter, value_wanted(option));
    }
    const int code = option_set(self, option, value);
    if (code || value) return code;
  }
  return 0;
}

int cli_parse(cli *self, int argc, char **argv)
{
  bool options = true;
  bool good = line_add(self, "ness") && line_add(self, self->command->name);
  for (int at = 0; at < argc && good; at++) {
    const char *const word = argv[at];
    int code = 0;
    if (options && strcmp(word, "--") == 0) {
      options = false;
    } else if (options && strncmp(word, "--", 2) == 0) {
      code = parse_long(self, argc, argv, &at);
    } else if (options && word[0] == '-' && word[1]) {
      code = parse_short(self, argc, argv, &at);
    } else {
      good = cli_list_add(&self->given.words, word) && line_add(self, word);
    }
    if (code) return code;
  }
  if (!good) return cli_error(self, NESS_NOMEM, NULL, "out of memory");
  const cli_command *const command = self->command;
  if (self->given.help) return 0;
  char hint[WORD_MOST + 64];
  snprintf(hint, sizeof hint, "'ness %s --help' shows how", command->name);
  if (self->given.words.count < command->least) {
    return cli_error(self, NESS_USAGE, hint, "%s is missing", command->missing);
  }
  if (command->most >= 0 && self->given.words.count > command->most) {
    return cli_error(self, NESS_USAGE, hint, "'%s' is one word too many", self->given.words.item[command->most]);
  }
  return 0;
}

void cli_free(cli *self)
{
  free(self->given.words.item);
  free(self->given.columns.item);
  free(self->given.equal.item);
  free(self->given.fix.item);
  free(self->line);
  for (int i = 0; i < CLI_CURVES; i++) ness_doc_free(self->curves[i]);
}
