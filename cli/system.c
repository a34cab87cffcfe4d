/* Signals, the clock and threads. Invariant: the first SIGINT, SIGTERM or SIGHUP only sets the library's flag, so that
 * frames are finished and files stay valid; the second ends the program with 130, and what was written is valid too. */
#include "cli.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t signals_seen;
static bool pipe_was_default;

static void on_signal(int number)
{
  static const char words[] = "\nstopping at the next safe point; once more to leave at once\n";
  (void)number;
  if (signals_seen) _exit(ness_status_exit(NESS_INTERRUPTED));
  signals_seen = 1;
  ness_interrupt();
  if (isatty(STDERR_FILENO)) {
    const ssize_t written = write(STDERR_FILENO, words, sizeof words - 1);
    (void)written;
  }
}

void cli_signals_install(void)
{
  struct sigaction action = {0}, before;
  sigemptyset(&action.sa_mask);
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) { /* nohup wants to go on */
    sigaction(SIGHUP, &action, NULL);
  }
  /* A closed pipe must not end a run that writes a dump: writes fail with EPIPE and are seen in cli_close_stdout. */
  action.sa_handler = SIG_IGN;
  action.sa_flags = 0;
  pipe_was_default = sigaction(SIGPIPE, &action, &before) == 0 && before.sa_handler == SIG_DFL;
}

bool cli_signals_seen(void)
{
  return signals_seen != 0;
}

bool cli_signals_pipe(void)
{
  if (pipe_was_default) signal(SIGPIPE, SIG_DFL);
  return pipe_was_default;
}

/* Of OpenBLAS; other libraries have none of it. */
extern void openblas_set_num_threads(int threads) __attribute__((weak));
extern int blas_thread_shutdown_(void) __attribute__((weak));

void cli_threads_alone(void)
{
  if (!openblas_set_num_threads || !blas_thread_shutdown_) return;
  openblas_set_num_threads(1); /* first: to set it begins threads */
  blas_thread_shutdown_();
}

double cli_clock(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int32_t cli_threads(void)
{
  const char *const asked = getenv("OMP_NUM_THREADS");
  const long wanted = asked ? strtol(asked, NULL, 10) : 0, processors = sysconf(_SC_NPROCESSORS_ONLN);
  const long threads = wanted > 0 ? wanted : processors > 0 ? processors : 1;
  return threads < CLI_FEW_MOST ? (int32_t)threads : CLI_FEW_MOST;
}
