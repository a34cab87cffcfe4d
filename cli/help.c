/* Help, manual pages and completion, all from the tables. Invariant: a row added to a table shows up in all three. */
#include "cli.h"

#include <ctype.h>
#include <string.h>

#define WRAP 98      /* columns of the help */
#define OPTION_AT 24 /* column where the words about an option begin */

static const char about[] =
    "Markov-state kinetics: simulates and solves transporters and reaction networks, and says what "
    "drives them.";
static const char exits[] =
    "0 fine, 1 failed run, 2 usage, 3 model, 4 a check or expectation does not hold, 5 input or "
    "output, 75 stopped cleanly and resumable, 130 interrupted.";

/* Words broken at spaces, `indent` from the second line on; `at` is the column the first one starts in. */
static void wrap(FILE *out, const char *text, int indent, int at)
{
  bool begins = true;
  while (*text) {
    const int length = (int)strcspn(text, " \n");
    if (!begins && at + 1 + length > WRAP) {
      fprintf(out, "\n%*s", indent, "");
      at = indent;
      begins = true;
    }
    fprintf(out, "%s%.*s", begins ? "" : " ", length, text);
    at += length + !begins;
    begins = false;
    text += length;
    if (*text == '\n') {
      fprintf(out, "\n%*s", indent, "");
      at = indent;
      begins = true;
    }
    text += *text != 0;
  }
  fputc('\n', out);
}

/* Calls `line` for each line of a text. */
static void each_line(FILE *out, const char *text, void (*line)(FILE *out, const char *text, int length))
{
  while (text && *text) {
    const int length = (int)strcspn(text, "\n");
    line(out, text, length);
    text += length;
    text += *text == '\n';
  }
}

enum { OPTION_WORDS = 512 }; /* bytes of what is said of an option */

static void option_words(const cli_option *option, char out[OPTION_WORDS])
{
  snprintf(out, OPTION_WORDS, "%s%s%s", option->help, option->choices ? ": " : "",
           option->choices ? option->choices : "");
}

/* --- pages --- */

static void page_line(FILE *out, const char *text, int length)
{
  fprintf(out, "  ness %.*s\n", length, text);
}

static void page_option(FILE *out, const cli_option *option)
{
  char left[64], letter[8] = "    ", words[OPTION_WORDS];
  if (option->letter) snprintf(letter, sizeof letter, "-%c, ", option->letter);
  const int length = snprintf(left, sizeof left, "  %s--%s%s%s", letter, option->name, option->argument ? " " : "",
                              option->argument ? option->argument : "");
  fprintf(out, "%-*s", OPTION_AT, left);
  if (length >= OPTION_AT) fprintf(out, "\n%*s", OPTION_AT, "");
  option_words(option, words);
  wrap(out, words, OPTION_AT, OPTION_AT);
}

static void page_title(FILE *out, const char *title, bool color)
{
  fprintf(out, "\n%s%s%s\n", color ? "\033[1m" : "", title, color ? "\033[0m" : "");
}

void cli_help_page(const cli_command *command, FILE *out, bool color)
{
  if (!command) {
    fprintf(out, "ness %s\n", ness_version_text());
    wrap(out, about, 0, 0);
    page_title(out, "Commands", color);
    for (int32_t i = 0; i < cli_command_count; i++) {
      fprintf(out, "  %-9s %s\n", cli_commands[i].name, cli_commands[i].summary);
    }
    page_title(out, "Options of every command", color);
  } else {
    wrap(out, command->summary, 0, 0);
    page_title(out, "Usage", color);
    each_line(out, command->synopsis, page_line);
    fputc('\n', out);
    wrap(out, command->description, 0, 0);
    page_title(out, "Options", color);
  }
  for (int32_t i = 0; i < cli_option_count; i++) {
    if (command ? cli_options[i].commands & command->mask : cli_options[i].commands == CLI_ALL) {
      page_option(out, &cli_options[i]);
    }
  }
  if (command && command->examples) {
    page_title(out, "Examples", color);
    each_line(out, command->examples, page_line);
  }
  if (!command) {
    fputs("\n'ness COMMAND --help' tells more. Exit codes: ", out);
    wrap(out, exits, 0, 46);
  }
}

/* --- manual pages --- */

/* Text for roff: a hyphen that can be copied, no request by accident, backslashes as themselves. */
static void roff_text(FILE *out, const char *text, int length)
{
  bool begins = true;
  for (int i = 0; i < length; i++) {
    if (begins && (text[i] == '.' || text[i] == '\'')) fputs("\\&", out);
    begins = text[i] == '\n';
    switch (text[i]) {
    case '\\': fputs("\\e", out); break;
    case '-': fputs("\\-", out); break;
    case '\'': fputs("\\(aq", out); break;
    case '\n': fputs("\n.PP\n", out); break;
    default: fputc(text[i], out);
    }
  }
}

static void roff_all(FILE *out, const char *text)
{
  roff_text(out, text, (int)strlen(text));
}

static void roff_usage(FILE *out, const char *text, int length)
{
  fputs(".B ness\n", out);
  roff_text(out, text, length);
  fputs("\n.br\n", out);
}

static void roff_example(FILE *out, const char *text, int length)
{
  fputs("ness ", out);
  roff_text(out, text, length);
  fputc('\n', out);
}

static void roff_option(FILE *out, const cli_option *option)
{
  char words[OPTION_WORDS];
  fputs(".TP\n", out);
  if (option->letter) fprintf(out, "\\fB\\-%c\\fR, ", option->letter);
  fputs("\\fB\\-\\-", out);
  roff_all(out, option->name);
  fputs("\\fR", out);
  if (option->argument) fprintf(out, " \\fI%s\\fR", option->argument);
  fputc('\n', out);
  option_words(option, words);
  roff_all(out, words);
  fputc('\n', out);
}

static void roff_page(FILE *out, const cli_command *command)
{
  char title[32] = "NESS";
  if (command) {
    snprintf(title, sizeof title, "NESS-%s", command->name);
    for (char *c = title; *c; c++) *c = (char)toupper((unsigned char)*c);
  }
  fprintf(out, ".TH %s 1 \"\" \"ness %s\" \"ness\"\n.SH NAME\nness%s%s \\- ", title, ness_version_text(),
          command ? "\\-" : "", command ? command->name : "");
  roff_all(out, command ? command->summary : about);
  fputs("\n.SH SYNOPSIS\n", out);
  each_line(out, command ? command->synopsis : "COMMAND [ARGUMENT...] [OPTION...]", roff_usage);
  fputs(".SH DESCRIPTION\n", out);
  roff_all(out, command ? command->description : "Data goes to standard output, words to standard error.");
  fputc('\n', out);
  if (!command) fputs(".SH COMMANDS\n", out);
  for (int32_t i = 0; !command && i < cli_command_count; i++) {
    fprintf(out, ".TP\n\\fBness\\-%s\\fR(1)\n", cli_commands[i].name);
    roff_all(out, cli_commands[i].summary);
    fputc('\n', out);
  }
  fputs(".SH OPTIONS\n", out);
  for (int32_t i = 0; i < cli_option_count; i++) {
    if (command ? cli_options[i].commands & command->mask : cli_options[i].commands == CLI_ALL) {
      roff_option(out, &cli_options[i]);
    }
  }
  if (command && command->examples) {
    fputs(".SH EXAMPLES\n.nf\n", out);
    each_line(out, command->examples, roff_example);
    fputs(".fi\n", out);
  }
  fputs(".SH EXIT STATUS\n", out);
  roff_all(out, exits);
  fputs("\n.SH ENVIRONMENT\n.TP\n\\fBNO_COLOR\\fR\nno colours unless \\fB\\-\\-color "
        "always\\fR\n.TP\n\\fBCOLUMNS\\fR\nwidth "
        "of text\n.TP\n\\fBOMP_NUM_THREADS\\fR\nthreads\n",
        out);
}

/* --- completion --- */

static void bash_script(FILE *out)
{
  fputs("# bash completion for ness; written by 'ness help --completion bash'\n_ness()\n{\n  local "
        "word=${COMP_WORDS[COMP_CWORD]} "
        "before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} words=\n  COMPREPLY=()\n"
        "  if ((COMP_CWORD == 1)); then\n    mapfile -t COMPREPLY < <(compgen -W '",
        out);
  for (int32_t i = 0; i < cli_command_count; i++) fprintf(out, "%s%s", i ? " " : "", cli_commands[i].name);
  fputs("' -- \"$word\")\n    return\n  fi\n  case $command:$before in\n", out);
  for (int32_t c = 0; c < cli_command_count; c++) {
    for (int32_t i = 0; i < cli_option_count; i++) {
      const cli_option *option = &cli_options[i];
      if (!(option->commands & cli_commands[c].mask) || !option->choices || option->commands == CLI_ALL) continue;
      fprintf(out, "    %s:--%s) words='", cli_commands[c].name, option->name);
      for (const char *at = option->choices; *at; at++) fputc(*at == '|' ? ' ' : *at, out);
      fputs("' ;;\n", out);
    }
  }
  fputs("    *:--color) words='auto always never' ;;\n    help:help) words='", out);
  for (int32_t i = 0; i < cli_command_count; i++) fprintf(out, "%s%s", i ? " " : "", cli_commands[i].name);
  fputs("' ;;\n    dump:dump) words='ls cat verify repair merge export' ;;\n    solve:*.ness) words=steady ;;\n  esac\n"
        "  if [[ -z $words && $word == -* ]]; then\n    case $command in\n",
        out);
  for (int32_t c = 0; c < cli_command_count; c++) {
    fprintf(out, "      %s) words='", cli_commands[c].name);
    bool first = true;
    for (int32_t i = 0; i < cli_option_count; i++) {
      if (!(cli_options[i].commands & cli_commands[c].mask)) continue;
      fprintf(out, "%s--%s", first ? "" : " ", cli_options[i].name);
      first = false;
    }
    fputs("' ;;\n", out);
  }
  fputs("    esac\n  fi\n  if [[ -n $words ]]; then\n    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- "
        "\"$word\")\n  else\n"
        "    compopt -o filenames 2>/dev/null\n    mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n  fi\n}\n"
        "complete -F _ness ness\n",
        out);
}

int cli_help(cli *self)
{
  const cli_command *command = NULL;
  if (self->given.words.count > 0) {
    const char *const name = self->given.words.item[0];
    command = cli_command_find(name);
    if (!command)
      return cli_error(self, NESS_USAGE, "'ness help' lists the commands", "there is no command '%s'", name);
  }
  if (self->given.completion) {
    bash_script(stdout);
  } else if (self->given.man) {
    roff_page(stdout, command);
  } else {
    cli_help_page(command, stdout, cli_color(self, stdout));
  }
  return 0;
}
