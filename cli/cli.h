/* What the files of the command share: the table of commands and options, the values a command line sets, and the ways
 * to speak. Invariant: data goes to stdout, words to stderr, and every way out of the program leads through an exit
 * code of ness_status_exit. One thread, but for the progress calls, which come from one thread at a time. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <ness/ness.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#if defined(__GNUC__)
#define CLI_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define CLI_PRINTF(text, first)
#endif

#define CLI_DEFAULT_WIDTH 100

/* --- what a command line says --- */

typedef struct cli_list {
  const char **item; /* borrowed texts */
  int32_t count;
} cli_list;

/* Every value an option can set; zero or NULL: not given. Texts are borrowed from the command line. */
typedef struct cli_values {
  cli_list words; /* what is no option, in order */
  cli_list columns, equal, fix;
  const char *color, *output, *level, *method, *experiment, *csv, *format, *completion, *tilt, *until, *unless,
      *frequency, *visible, *layout, *of_columns, *map, *html;
  double time, warmup, window, every, step; /* s */
  double epsilon;                           /* of run: relative */
  double precision;                         /* of scan: a share of the largest value */
  double tolerance;                         /* of check: kT; of solve: relative */
  double confidence;                        /* 0 ... 1 */
  int64_t replicas, events, max_states, max_cycles, limit, threads, jobs, modes;
  uint64_t seed;
  bool json, quiet, verbose, help, force, record, states, simulate, exact_only, no_exact, rows, man, dry_run,
      from_steady, balance, minimal;
} cli_values;

/* --- the tables: one for parser, help, manual and completion --- */

typedef enum cli_type {
  CLI_FLAG,   /* bool */
  CLI_COUNT,  /* int64_t from 1; 1e6 is a million */
  CLI_FEW,    /* int64_t from 1 to CLI_FEW_MOST: threads, jobs */
  CLI_SEED,   /* uint64_t */
  CLI_NUMBER, /* double above 0 */
  CLI_SHARE,  /* double between 0 and 1 */
  CLI_TIME,   /* double above 0, s; 10ms, 2s, 5min */
  CLI_TEXT,   /* const char * */
  CLI_LIST    /* cli_list: may be given again */
} cli_type;

#define CLI_FEW_MOST 4096

enum {
  CLI_CHECK = 1u << 0,
  CLI_INFO = 1u << 1,
  CLI_RUN = 1u << 2,
  CLI_RESUME = 1u << 3,
  CLI_SOLVE = 1u << 4,
  CLI_SCAN = 1u << 5,
  CLI_ANALYZE = 1u << 6,
  CLI_TEST = 1u << 7,
  CLI_DUMP = 1u << 8,
  CLI_BENCH = 1u << 9,
  CLI_VERSION = 1u << 10,
  CLI_HELP = 1u << 11,
  CLI_CONVERT = 1u << 12,
  CLI_REPORT = 1u << 13,
  CLI_FIT = 1u << 14,
  CLI_STALL = 1u << 15,
  CLI_IV = 1u << 16,
  CLI_OPTIMUM = 1u << 17,
  CLI_ALL = (1u << 18) - 1
};

typedef struct cli_option {
  const char *name; /* without the dashes */
  char letter;      /* 0: none */
  cli_type type;
  unsigned commands;    /* which take it */
  size_t place;         /* in cli_values */
  const char *argument; /* its name in the help; NULL for flags */
  const char *choices;  /* words between bars, the only values; may be NULL */
  const char *help;
  bool record; /* part of what a run is: stands in the dump's command line */
} cli_option;

typedef struct cli cli;

typedef struct cli_command {
  const char *name;
  unsigned mask;
  int32_t least, most;     /* words; most -1: any number */
  const char *missing;     /* what is missing below `least` */
  const char *synopsis;    /* lines; without "ness" */
  const char *summary;     /* one line */
  const char *description; /* paragraphs */
  const char *examples;    /* lines; may be NULL */
  int (*run)(cli *self);   /* the exit code */
} cli_command;

extern const cli_command cli_commands[];
extern const int32_t cli_command_count;
extern const cli_option cli_options[];
extern const int32_t cli_option_count;

const cli_command *cli_command_find(const char *name); /* NULL: none */

enum { CLI_CURVES = 4 };

struct cli {
  const cli_command *command; /* NULL before it is known */
  cli_values given;
  char *line;                   /* the command line as a dump keeps it; owned */
  ness_doc *curves[CLI_CURVES]; /* for the page, beside the answer; owned */
};

/* Parses the words behind the command's name; exit code 0 or 2, after a message. */
int cli_parse(cli *self, int argc, char **argv);
void cli_free(cli *self);
bool cli_list_add(cli_list *self, const char *item); /* false when memory is out */

/* The name nearest to `word` of `count` names taken by name_at, or NULL when none is meant. */
const char *cli_nearest(const char *word, int32_t count, const char *(*name_at)(const void *context, int32_t at),
                        const void *context);

/* The exit codes of the commands; words and options are in self->given. */
int cli_check(cli *self);
int cli_convert(cli *self);
int cli_info(cli *self);
int cli_run(cli *self);
int cli_resume(cli *self);
int cli_solve(cli *self);
int cli_scan(cli *self);
int cli_stall(cli *self);
int cli_iv(cli *self);
int cli_optimum(cli *self);
int cli_analyze(cli *self);
int cli_report(cli *self);
int cli_fit(cli *self);
int cli_test(cli *self);
int cli_dump(cli *self);
int cli_bench(cli *self);
int cli_version(cli *self);
int cli_help(cli *self);

/* The page of a command (NULL: of all) as `ness CMD --help` shows it. */
void cli_help_page(const cli_command *command, FILE *out, bool color);

/* --- speaking: words --- */

bool cli_color(const cli *self, FILE *stream);
int cli_width(void); /* of text on stdout, columns */
/* An error on stderr, with a hint unless NULL. Returns the exit code for `status`. */
int cli_error(const cli *self, ness_status status, const char *hint, const char *format, ...) CLI_PRINTF(4, 5);
void cli_note(const cli *self, const char *format, ...) CLI_PRINTF(2, 3); /* not with -q */
/* The diagnostics on stderr; with -q only when an error is among them. */
void cli_show_diags(const cli *self, const ness_diags *diags);

/* --- speaking: data --- */

void cli_put_doc(const cli *self, const ness_doc *doc); /* text or JSON on stdout */
void cli_put_json_text(FILE *out, const char *text);    /* a JSON string with its quotes */
void cli_put_indented(FILE *out, const char *text, int indent, bool first);
/* What every command ends with: shows `diags`, prints `doc` (either may be NULL), frees both, and says what went wrong
 * with `subject` when no diagnostic does. Returns the exit code. */
int cli_end(const cli *self, ness_status status, const char *subject, ness_diags *diags, ness_doc *doc);

/* Flushes stdout and finds out whether everything arrived; `code` or the exit code for lost output. */
int cli_close_stdout(const cli *self, int code);

/* A flat result of the command itself, as aligned text or as JSON with schema, kind and version. */
typedef struct cli_record {
  FILE *out;
  bool json;
  int width; /* of the keys */
} cli_record;

cli_record cli_record_begin(const cli *self, const char *kind, int width);
void cli_record_text(cli_record *self, const char *key, const char *format, ...) CLI_PRINTF(3, 4);
void cli_record_number(cli_record *self, const char *key, double value);
void cli_record_end(cli_record *self);

/* --- progress --- */

typedef struct cli_progress {
  const cli *command;
  const char *unit;    /* of done and total, shown; NULL: only the share is */
  bool terminal;       /* one line rewritten */
  bool started, shown; /* shown: there is a line to clear */
  double done_first, seconds_first, shown_last;
  int64_t events_first, events;
  double seconds;
} cli_progress;

void cli_progress_begin(cli_progress *self, const cli *command, const char *unit);
int cli_progress_call(void *self, double done, double total, int64_t events, double seconds); /* a ness_progress */
void cli_progress_end(cli_progress *self);

/* --- signals and the machine --- */

/* From here on SIGINT, SIGTERM and SIGHUP ask the library to stop, and the second one ends the program. */
void cli_signals_install(void);
bool cli_signals_seen(void);
bool cli_signals_pipe(
    void); /* a closed pipe ends the program from here on, quietly; false when the caller ruled that out */
/* Ends the threads of the linear algebra, which no result may have and which spin for a tenth of a second at the start,
 * on cores that are wanted. */
void cli_threads_alone(void);
double cli_clock(void);    /* s */
int32_t cli_threads(void); /* that OpenMP will use by default */

/* --- what several commands do --- */

/* Loads words[0] under the settings NAME=VALUE among the other words; those that are none go to `others`, if not NULL,
 * else they are errors. Returns the exit code after saying why; *model is owned by the caller. */
int cli_load(cli *self, bool (*is_other)(const char *word), cli_list *others, ness_diags *diags, ness_model **model);
bool cli_is_setting(const char *word);
bool cli_is_range(const char *word); /* NAME=FROM:TO */
/* The simulation that the options describe. */
ness_simulate_options cli_simulation(cli *self, cli_progress *progress);
/* Whether the options of a simulation of many points fit together; `in_time`: --time means something without one. The
 * exit code after saying what does not. */
int cli_check_simulation(const cli *self, bool in_time);

/* --- page.c: the answer as a page, for --html --- */

/* Whether the file may be made; the exit code after saying why not. */
int cli_page_check(const cli *self);
/* Writes it, where it is asked for; the reason goes to `diags`. */
ness_status cli_page_put(const cli *self, const ness_doc *doc, ness_diags *diags);

/* --- csv.c: a table that goes to the file of --csv too, or in place of the text to stdout --- */

typedef struct cli_csv {
  FILE *out; /* NULL: none is asked for */
  bool to_stdout;
} cli_csv;

/* Creates the file before the work that fills it. Exit code after saying why not. */
int cli_csv_open(cli_csv *self, const cli *command);
/* Writes the table of `doc`, ends the command as cli_end does, and takes a file away again that did not become whole.
 */
int cli_csv_end(cli_csv *self, const cli *command, ness_status status, ness_diags *diags, ness_doc *doc);

#endif
