/* The program: makes sure of its three descriptors, finds the command, parses the rest, runs it, and sees that the
 * output arrived. Invariant: every end goes through cli_close_stdout, except a second signal. */
#include "cli.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const char *command_name(const void *context, int32_t at)
{
  (void)context;
  return cli_commands[at].name;
}

/* A descriptor that the caller closed would go to the next file opened, a dump perhaps, and words would end up there.
 * So it is taken by /dev/null the wrong way round: reading ends at once, writing fails and is reported. */
static bool take_descriptors(void)
{
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) return false;
  }
  return true;
}

static int unknown_command(const cli *self, const char *word)
{
  char hint[128];
  const char *const near = cli_nearest(word, cli_command_count, command_name, NULL);
  if (word[0] == '-') {
    return cli_error(self, NESS_USAGE, "options stand behind a command; 'ness help' lists both", "unknown option %s",
                     word);
  }
  snprintf(hint, sizeof hint, near ? "did you mean 'ness %s'?" : "'ness help' lists the commands", near);
  return cli_error(self, NESS_USAGE, hint, "unknown command '%s'", word);
}

static int run(cli *self, int argc, char **argv)
{
  const char *word = argc > 1 ? argv[1] : NULL;
  if (!word) {
    cli_help_page(NULL, stderr, cli_color(self, stderr));
    return ness_status_exit(NESS_USAGE);
  }
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) word = "help";
  if (strcmp(word, "--version") == 0) word = "version";
  const cli_command *const command = cli_command_find(word);
  if (!command) return unknown_command(self, word);
  self->command = command;
  const int code = cli_parse(self, argc - 2, argv + 2);
  if (code) return code;
  if (self->given.help) {
    cli_help_page(command, stdout, cli_color(self, stdout));
    return 0;
  }
  const int refused = cli_page_check(self);
  return refused ? refused : command->run(self);
}

int main(int argc, char **argv)
{
  cli self = {0};
  if (!take_descriptors()) return ness_status_exit(NESS_IO);
  cli_threads_alone();
  cli_signals_install();
  const int code = cli_close_stdout(&self, run(&self, argc, argv));
  cli_free(&self);
  return code;
}
