/* The tables of commands and options. Parser, help, manual and completion read them and nothing else, so what is
 * written here is all that ness takes. An option of one name may mean different things to different commands: one row
 * each. */
#include "cli.h"

#include <string.h>

#define PLACE(member) offsetof(cli_values, member)
#define SIMULATION (CLI_RUN | CLI_SCAN | CLI_IV)
#define STUDY (CLI_STALL | CLI_IV | CLI_OPTIMUM)

const cli_option cli_options[] = {
    {"output", 'o', CLI_TEXT, CLI_RUN, PLACE(output), "FILE", NULL,
     "the dump to write; without it only results are printed", false},
    {"replicas", 0, CLI_COUNT, SIMULATION, PLACE(replicas), "N", NULL, "independent runs of the ensemble (64)", true},
    {"time", 0, CLI_TIME, SIMULATION, PLACE(time), "T", NULL, "end time of a replica: seconds, or as 10ms, 2s, 5min",
     true},
    {"events", 0, CLI_COUNT, SIMULATION, PLACE(events), "N", NULL, "end of a replica after so many events", true},
    {"seed", 0, CLI_SEED, SIMULATION, PLACE(seed), "S", NULL, "seed of the random streams (0)", true},
    {"warmup", 0, CLI_TIME, SIMULATION, PLACE(warmup), "T", NULL, "time at the start that is not counted (0)", true},
    {"level", 0, CLI_TEXT, CLI_RUN, PLACE(level), "LEVEL", "summary|flux|grid|events",
     "what the dump keeps: totals, counts and dwell times per window, states at given times, or every event (flux)",
     true},
    {"window", 0, CLI_TIME, CLI_RUN, PLACE(window), "T", NULL,
     "length of a window at level flux (a hundredth of the counted time)", true},
    {"every", 0, CLI_TIME, CLI_RUN, PLACE(every), "T", NULL,
     "distance of the times at level grid (a hundredth of the counted time); without a dump, of the course that is "
     "listed",
     true},
    {"method", 0, CLI_TEXT, SIMULATION, PLACE(method), "NAME", "direct|composition|jumps|batch|tau|mean|langevin",
     "how events are drawn (few states with many events between two cuts: jumps; 512 directions of steps and more: "
     "composition; else direct); for large populations many at "
     "once: exactly by batch, approximately by tau; every step as its mean, or with noise beside: mean, langevin",
     true},
    {"epsilon", 0, CLI_NUMBER, SIMULATION, PLACE(epsilon), "X", NULL,
     "method tau: what a rate may change by within a leap, relative (0.03)", true},
    {"tolerance", 0, CLI_NUMBER, CLI_CHECK, PLACE(tolerance), "KT", NULL,
     "affinity in kT from which an undeclared drive is a violation (1e-4)", true},
    {"method", 0, CLI_TEXT, CLI_SOLVE, PLACE(method), "NAME", "gth|klu|multilevel|uniform|krylov|dense",
     "how: elimination, sparse LU or multilevel aggregation; in time uniformisation, Krylov or dense (auto)", true},
    {"tolerance", 0, CLI_NUMBER, CLI_SOLVE, PLACE(tolerance), "X", NULL,
     "error allowed: relative, of every probability (1e-8); of the distribution in time (1e-10)", true},
    {"time", 0, CLI_TIME, CLI_SOLVE, PLACE(time), "T", NULL,
     "transient, ode, lna: up to here; passage: the distribution up to here", true},
    {"every", 0, CLI_TIME, CLI_SOLVE | CLI_SCAN, PLACE(every), "T", NULL,
     "transient, ode, lna: distance of the times (a hundredth of --time)", true},
    {"of", 0, CLI_LIST, CLI_SOLVE, PLACE(columns), "EXPR", NULL,
     "cumulants, sensitivity, noise: of this expression; may be given again (the observables, else every step)", true},
    {"of", 0, CLI_LIST, CLI_STALL, PLACE(columns), "EXPR", NULL, "what is to be zero (the only observable of the file)",
     true},
    {"of", 0, CLI_LIST, CLI_OPTIMUM, PLACE(columns), "EXPR", NULL,
     "what is to be largest, as current(in) or a ratio (the only observable of the file)", true},
    {"of", 0, CLI_LIST, CLI_IV, PLACE(columns), "EXPR", NULL,
     "a current; may be given again (observables that are currents, else that of the compartment)", true},
    {"minimal", 0, CLI_FLAG, CLI_OPTIMUM, PLACE(minimal), NULL, NULL, "the smallest value, not the largest", true},
    {"tilt", 0, CLI_TEXT, CLI_SOLVE, PLACE(tilt), "A:B:BY", NULL,
     "cumulants: the generating function of the first current at these s", true},
    {"frequency", 0, CLI_TEXT, CLI_SOLVE, PLACE(frequency), "A:B", NULL,
     "noise: at these frequencies, as 1:1000 or 1:50[kHz] (from the slowest to the fastest of the model)", true},
    {"until", 0, CLI_TEXT, CLI_SOLVE, PLACE(until), "CONDITION", NULL, "passage: what ends it, as 'A == 0'", true},
    {"unless", 0, CLI_TEXT, CLI_SOLVE, PLACE(unless), "CONDITION", NULL, "passage: a second end that may come first",
     true},
    {"from-steady", 0, CLI_FLAG, CLI_SOLVE, PLACE(from_steady), NULL, NULL,
     "passage: start from the steady state, not from the start of the file", true},
    {"modes", 0, CLI_FEW, CLI_SOLVE, PLACE(modes), "N", NULL, "spectrum: modes shown, slowest first (10)", true},
    {"dry-run", 0, CLI_FLAG, CLI_SOLVE, PLACE(dry_run), NULL, NULL,
     "only how many states there are and what memory they would take", false},
    {"states", 0, CLI_FLAG, CLI_SOLVE, PLACE(states), NULL, NULL, "list every state with its probability", true},
    {"max-states", 0, CLI_COUNT, CLI_CHECK, PLACE(max_states), "N", NULL,
     "states up to which the steady state is solved as well (5000)", true},
    {"max-states", 0, CLI_COUNT, CLI_SOLVE | CLI_SCAN | CLI_CONVERT | STUDY, PLACE(max_states), "N", NULL,
     "states that may be enumerated (20 million)", true},
    {"max-cycles", 0, CLI_COUNT, CLI_SOLVE, PLACE(max_cycles), "N", NULL, "cycles that may be enumerated (100000)",
     true},
    {"column", 0, CLI_LIST, CLI_SCAN, PLACE(columns), "EXPR", NULL,
     "a column of the table, as current(in); may be given again (the observables of the file and sigma)", true},
    {"simulate", 0, CLI_FLAG, CLI_SCAN | CLI_IV, PLACE(simulate), NULL, NULL,
     "simulate each point instead of solving it", true},
    {"precision", 0, CLI_SHARE, CLI_SCAN, PLACE(precision), "P", NULL,
     "simulate points once more, and longer, whose error of the first column is above this share of the column's "
     "largest value",
     true},
    {"csv", 0, CLI_TEXT, CLI_SCAN | CLI_SOLVE | STUDY, PLACE(csv), "FILE", NULL,
     "write the table (of solve: of noise) as CSV too; - prints it in place of text", false},
    {"html", 0, CLI_TEXT, CLI_RUN | CLI_SOLVE | CLI_SCAN | STUDY, PLACE(html), "FILE", NULL,
     "write the answer as a page with pictures too (of run: of its course)", false},
    {"level", 0, CLI_SHARE, CLI_ANALYZE | CLI_REPORT, PLACE(confidence), "P", NULL,
     "confidence of the intervals (0.95)", true},
    {"max-cycles", 0, CLI_COUNT, CLI_ANALYZE, PLACE(max_cycles), "N", NULL, "cycles listed (50)", true},
    {"max-states", 0, CLI_COUNT, CLI_ANALYZE, PLACE(max_states), "N", NULL,
     "states up to which exact values stand beside the estimates (5000)", true},
    {"max-states", 0, CLI_COUNT, CLI_REPORT, PLACE(max_states), "N", NULL,
     "states up to which exact values are found (5000)", true},
    {"no-exact", 0, CLI_FLAG, CLI_ANALYZE, PLACE(no_exact), NULL, NULL, "no exact values beside the estimates", true},
    {"record", 0, CLI_FLAG, CLI_REPORT, PLACE(record), NULL, NULL,
     "the file is a measured record of states, as for analyze", true},
    {"columns", 0, CLI_TEXT, CLI_ANALYZE | CLI_FIT | CLI_REPORT, PLACE(of_columns), "LIST", NULL,
     "of a measured sequence: what its columns are, as time,state,replica or dwell,-,state (found out)", true},
    {"step", 0, CLI_TIME, CLI_ANALYZE | CLI_FIT | CLI_REPORT, PLACE(step), "T", NULL,
     "of a measured sequence: its rows are states, so far apart", true},
    {"map", 0, CLI_TEXT, CLI_ANALYZE | CLI_FIT | CLI_REPORT, PLACE(map), "MAP", NULL,
     "of a measured sequence: states put together, as 'open=O1,O2 shut=C1' or a file of rows state,class", true},
    {"output", 'o', CLI_TEXT, CLI_FIT, PLACE(output), "FILE", NULL, "the model file to write", false},
    {"visible", 0, CLI_TEXT, CLI_ANALYZE, PLACE(visible), "STEPS", NULL,
     "the steps that are seen, as bind,flip: what they alone say of entropy production (all)", true},
    {"balance", 0, CLI_FLAG, CLI_FIT, PLACE(balance), NULL, NULL, "the model holds detailed balance, with energies",
     true},
    {"equal", 0, CLI_LIST, CLI_FIT, PLACE(equal), "RATES", NULL,
     "rates that are one, as 'A->B=C->D'; a step's name is its way forward, -NAME its way back; may be given again",
     true},
    {"fix", 0, CLI_LIST, CLI_FIT, PLACE(fix), "RATE", NULL, "a rate that is known, as 'A->B=2.5'; may be given again",
     true},
    {"exact-only", 0, CLI_FLAG, CLI_TEST, PLACE(exact_only), NULL, NULL, "skip what needs simulation", true},
    {"experiment", 0, CLI_TEXT, CLI_TEST, PLACE(experiment), "NAME", NULL, "only the experiment of this name", true},
    {"jobs", 0, CLI_FEW, CLI_TEST, PLACE(jobs), "N", NULL, "files tested at the same time, each in its process (1)",
     false},
    {"output", 'o', CLI_TEXT, CLI_CONVERT, PLACE(output), "FILE", NULL,
     "the file to write: .mtx, .tra (and .sta beside it) or .petsc", false},
    {"output", 'o', CLI_TEXT, CLI_REPORT, PLACE(output), "FILE", NULL, "the HTML file to write", true},
    {"layout", 0, CLI_TEXT, CLI_REPORT, PLACE(layout), "NAME", "auto|own",
     "the network by Graphviz where it is installed, or by ness alone (auto)", true},
    {"output", 'o', CLI_TEXT, CLI_DUMP, PLACE(output), "FILE", NULL, "the file that merge and export write", false},
    {"format", 0, CLI_TEXT, CLI_DUMP, PLACE(format), "FORMAT", "csv|npz", "of export (by the end of the file's name)",
     false},
    {"rows", 0, CLI_FLAG, CLI_DUMP, PLACE(rows), NULL, NULL, "cat shows events, times and windows too", false},
    {"limit", 0, CLI_COUNT, CLI_DUMP, PLACE(limit), "N", NULL, "frames that ls lists (1000); totals cover all", false},
    {"force", 0, CLI_FLAG, CLI_RUN | CLI_SOLVE | CLI_SCAN | STUDY | CLI_DUMP | CLI_CONVERT | CLI_REPORT | CLI_FIT,
     PLACE(force), NULL, NULL, "replace a file that exists", false},
    {"threads", 'j', CLI_FEW,
     CLI_RUN | CLI_RESUME | CLI_SCAN | CLI_IV | CLI_OPTIMUM | CLI_ANALYZE | CLI_REPORT | CLI_FIT | CLI_BENCH,
     PLACE(threads), "N", NULL, "threads (all); the results do not depend on it", false},
    {"man", 0, CLI_FLAG, CLI_HELP, PLACE(man), NULL, NULL, "the page as a manual page in roff", false},
    {"completion", 0, CLI_TEXT, CLI_HELP, PLACE(completion), "SHELL", "bash",
     "a script that completes ness in this shell", false},
    {"json", 0, CLI_FLAG, CLI_ALL, PLACE(json), NULL, NULL, "the result as JSON on stdout", false},
    {"quiet", 'q', CLI_FLAG, CLI_ALL, PLACE(quiet), NULL, NULL, "only errors on stderr", false},
    {"verbose", 'v', CLI_FLAG, CLI_ALL, PLACE(verbose), NULL, NULL, "say more, and progress without a terminal too",
     false},
    {"color", 0, CLI_TEXT, CLI_ALL, PLACE(color), "WHEN", "auto|always|never", "colours (auto: on a terminal)", false},
    {"help", 'h', CLI_FLAG, CLI_ALL, PLACE(help), NULL, NULL, "this page", false},
};
const int32_t cli_option_count = (int32_t)(sizeof cli_options / sizeof cli_options[0]);

const cli_command cli_commands[] = {
    {"check", CLI_CHECK, 1, -1, "a model file", "check MODEL [NAME=VALUE...] [OPTION...]",
     "Whether detailed balance holds, and what breaks it.",
     "Reads a model and says whether its rates can be in equilibrium; which cycles break it, by how much and what "
     "drives them; which steps have no reverse; and, where the rates hold more than the file declares, which steps "
     "are to blame and what the smallest correction is. Exits with 4 when the rates contradict the file.",
     "check fuel.ness\ncheck sglt.ness V=-50[mV] --tolerance 1e-6", cli_check},
    {"info", CLI_INFO, 1, -1, "a model file", "info MODEL [NAME=VALUE...] [OPTION...]", "The network as compiled.",
     "Prints every propensity as it will be used, with the energies, reservoirs, work and conservation laws that "
     "belong to it.",
     "info fuel.ness\ninfo sglt.ness Na.out=100[mM] --json", cli_info},
    {"run", CLI_RUN, 1, -1, "a model file", "run MODEL [NAME=VALUE...] -o DUMP --time T [OPTION...]",
     "An ensemble by simulation, into a dump.",
     "Simulates independent replicas of a model and writes what happened to a dump; needs --time or --events. The "
     "same model, settings and seed give the same bytes for any number of threads. Ctrl-C or SIGTERM finish the "
     "frame and exit with 75; 'ness resume' goes on from there, as it does after a kill. A second Ctrl-C exits at "
     "once.\n"
     "Values of the file are replaced by NAME=VALUE, with a unit in brackets unless the file has 'units natural'; zsh "
     "wants such words in quotes.",
     "run fuel.ness -o d.msgpack --time 200 --replicas 64 --seed 1\n"
     "run sglt.ness V=-50[mV] -o d.msgpack --time 10ms --level events",
     cli_run},
    {"resume", CLI_RESUME, 1, 1, "a dump", "resume DUMP [OPTION...]", "Go on with a run that was stopped or killed.",
     "Goes on with a dump where it ends. The file ends in the bytes of a run that was never stopped. Model, "
     "settings and seed stand in the dump.",
     "resume d.msgpack", cli_resume},
    {"solve", CLI_SOLVE, 1, -1, "a model file", "solve MODEL [QUESTION] [NAME=VALUE...] [OPTION...]",
     "The exact answer from the master equation.",
     "Enumerates the states of a model and answers one question, with the method and a bound on its error:\n"
     "steady: means, rates, the flux of every cycle, entropy production by its parts and how well they close;\n"
     "transient: means, spreads and observables in time (--time, --every);\n"
     "cumulants: how noisy currents are: variance, higher cumulants, covariances, large deviations (--of, --tilt);\n"
     "sensitivity: which step changes what: control coefficients (--of);\n"
     "passage: how long until a condition on counts is met, and which of two first (--until, --unless);\n"
     "noise: power spectra of currents and counts (--of, --frequency, --csv);\n"
     "spectrum: relaxation times;\n"
     "ode, lna: the rate equations and the linear noise around them, at rest or in time.",
     "solve fuel.ness A=20\nsolve sglt.ness steady --states --json\nsolve fuel.ness transient --time 5\n"
     "solve fuel.ness cumulants --of 'rate(r1)' --tilt -4:0:0.5\nsolve fuel.ness passage --until 'B == 0'\n"
     "solve fuel.ness noise --of 'rate(r1)' --csv noise.csv",
     cli_solve},
    {"scan", CLI_SCAN, 2, -1, "a model file or a range",
     "scan MODEL [QUESTION] NAME=FROM:TO:BY[UNIT]... [NAME=VALUE...] [OPTION...]",
     "A table of values against parameters.",
     "Answers for every point of one range or of the grid of several, the last one fastest; exactly, or by "
     "simulation with errors (--simulate, which needs --time or --events). The question is steady, transient, ode or "
     "lna; columns may ask the steady state for more, as fano(rate(r1)), control(sigma, r1), passage(A == 0) or "
     "relaxation(). Points run in parallel.",
     "scan sglt.ness V=-100:100:5[mV]\n"
     "scan sglt.ness V=-100:100:50[mV] Na.out=10:140:10[mM] --column 'current(in)' --csv iv.csv\n"
     "scan fuel.ness F=1e-4:5e-3:5e-4 --column 'fano(rate(r1))'",
     cli_scan},
    {"stall", CLI_STALL, 2, -1, "a model file or a range", "stall MODEL NAME=FROM:TO[UNIT] [NAME=VALUE...] [OPTION...]",
     "The value at which a current stops.",
     "Finds the value of a parameter, a bath or a concentration at which an exact steady value passes through zero, "
     "with "
     "the rates, the work by source and the entropy production there: what stalls may still burn. The value has to "
     "have "
     "different signs at the two ends of the range.",
     "stall ratchet.ness --of JS S.in=1:8[mM]\nstall sglt.ness --of 'netflux(S.in)' V=-150:100[mV] --json", cli_stall},
    {"iv", CLI_IV, 2, -1, "a model file or a range", "iv MODEL V=FROM:TO:BY[UNIT] [NAME=VALUE...] [OPTION...]",
     "Currents against a voltage, and where they turn round.",
     "A table of currents and entropy production against a voltage, exactly or by simulation with errors (--simulate, "
     "which needs --time or --events), and each reversal voltage in it with the conductance there: exactly by a search "
     "for the root, from a simulation by interpolation, with an interval of 95 %.",
     "iv sglt.ness V=-100:100:5[mV]\niv ghk.ness V=-100:40:10[mV] --of I_K --of I_Na --csv iv.csv", cli_iv},
    {"optimum", CLI_OPTIMUM, 2, -1, "a model file or a range",
     "optimum MODEL NAME=FROM:TO[UNIT]... [NAME=VALUE...] [OPTION...]", "The values at which a current is largest.",
     "Finds where in one to four ranges an exact steady value is largest (--minimal: smallest), how flat it is around "
     "there, whether it lies on a border, and the rates, the work by source and the entropy production. A range is "
     "searched on a logarithmic scale where its ends are positive and more than 20-fold apart. A peak much narrower "
     "than a range may be missed.",
     "optimum flicker.ness --of 'abs(J)' gamma=0.01:1000\n"
     "optimum ratchet.ness --of 'JS*ln(S.in/S.out)/(work(V) + work(in))' amplitude=10:200[mV]",
     cli_optimum},
    {"analyze", CLI_ANALYZE, 1, 1, "a dump or a table of states",
     "analyze DUMP [OPTION...]\nanalyze STATES [OPTION...]", "What flows, what breaks balance and what it costs.",
     "Reads a dump once and estimates fluxes, cycles, the test for detailed balance and entropy production, each "
     "with an interval and the name of its method. A damaged dump is analysed as far as it is intact.\n"
     "Without a model: a table of text or a .npy with rows (time, state), (dwell, state) or, with --step, (state), and "
     "a "
     "replica where there are several. States are names or numbers. The last row of (time, state) is the end of the "
     "record; an empty state or time cuts it.",
     "analyze d.msgpack\nanalyze d.msgpack --level 0.99 --json\nanalyze states.csv\n"
     "analyze channel.csv --columns dwell,state\nanalyze trace.npy --step 1ms --map 'open=2,3 shut=0,1'",
     cli_analyze},
    {"report", CLI_REPORT, 1, -1, "a dump, a model or a record",
     "report DUMP|MODEL|RECORD [NAME=VALUE...] -o FILE [OPTION...]", "One HTML page that needs nothing else.",
     "Asks a model, a dump and the model in it, or a measured record what the other commands ask, and writes a page: "
     "the verdict, the "
     "network with its currents, cycles, curves, entropy production and the fluctuation theorem, work and heat, "
     "estimates beside exact values, convergence, and how to make it again. What cannot be had is said with its "
     "reason. "
     "The file needs no network and no script; it is written whole or not at all.",
     "report d.msgpack -o report.html\nreport sglt.ness V=-50[mV] -o report.html --force\nreport states.csv --record "
     "-o report.html",
     cli_report},
    {"fit", CLI_FIT, 1, 1, "a dump or a table of states", "fit STATES [-o MODEL] [OPTION...]",
     "Rates from measured states, as a model file.",
     "Rates with standard errors by maximum likelihood, events over time spent, from a measured sequence (as analyze "
     "reads it) or a dump whose steps take one molecule from a state to another. Beside them those under detailed "
     "balance, or under the constraints given, and the likelihood ratio between both. The model file has free rates "
     "unless --balance, --equal or --fix ask for others.",
     "fit states.csv\nfit states.csv -o fitted.ness --balance\nfit states.csv --equal 'C1->C2=C3->C2' --fix "
     "'O->C1=500'",
     cli_fit},
    {"test", CLI_TEST, 1, -1, "a model file or a folder", "test PATH... [OPTION...]",
     "Run experiments and hold their expectations.",
     "Runs the experiments of model files, and of all *.ness files below folders, in the order of their names. A "
     "line a file, and the whole result of those that fail (of all with -v). Exits with 4 when an expectation does "
     "not hold.",
     "test networks/models\ntest fuel.ness --experiment steady --exact-only", cli_test},
    {"dump", CLI_DUMP, 1, -1, "one of ls, cat, verify, repair, merge, export",
     "dump ls|cat|verify DUMP [OPTION...]\ndump repair IN OUT [OPTION...]\ndump merge IN... -o OUT [OPTION...]\n"
     "dump export DUMP -o OUT [--format csv|npz] [OPTION...]",
     "Look into dumps, mend, join and export them.",
     "ls lists the frames and the settings of the run; cat prints a line of JSON a frame; verify holds checksums, "
     "order, index and footer against each other and exits with 5 when anything is wrong; repair copies what is "
     "intact to a new file; merge joins dumps of one run that hold different replicas; export writes the rows as a "
     "table, to the terminal with -o - (csv).",
     "dump ls d.msgpack\ndump export d.msgpack -o d.csv\ndump repair torn.msgpack whole.msgpack", cli_dump},
    {"convert", CLI_CONVERT, 1, -1, "a model file", "convert MODEL [NAME=VALUE...] -o FILE [OPTION...]",
     "The generator of a model for other tools.",
     "Enumerates the states of a model and writes the matrix of its rates: MatrixMarket (.mtx), the explicit format of "
     "PRISM and Storm (.tra with .sta), or a PETSc matrix (.petsc). Files of rates (.tra, .mtx, .npy, .csv) are read "
     "wherever a model is.",
     "convert fuel.ness A=20 -o q.mtx\nconvert rates.npy -o rates.tra", cli_convert},
    {"bench", CLI_BENCH, 0, 0, NULL, "bench [OPTION...]", "How fast this machine simulates.",
     "Simulates a few models that are built in: one trajectory, an ensemble on one thread, and on all. Prints "
     "nanoseconds per event, speed-up, bytes a replica, and how the events are drawn. Takes a few seconds.",
     "bench\nbench --json", cli_bench},
    {"version", CLI_VERSION, 0, 0, NULL, "version [OPTION...]", "Version, compiler and threads.",
     "Prints the version of the program and of the library, the compiler, and the threads that will be used.", NULL,
     cli_version},
    {"help", CLI_HELP, 0, 1, NULL, "help [COMMAND] [--man]\nhelp --completion bash",
     "This list, or the page of a command.",
     "Prints the page of a command, or the list of all; as a manual page with --man. A script for completion with "
     "--completion.",
     "help run\nhelp --man run | man -l -\nhelp --completion bash > ~/.local/share/bash-completion/completions/ness",
     cli_help},
};
const int32_t cli_command_count = (int32_t)(sizeof cli_commands / sizeof cli_commands[0]);

const cli_command *cli_command_find(const char *name)
{
  for (int32_t i = 0; i < cli_command_count; i++) {
    if (strcmp(cli_commands[i].name, name) == 0) {
      return &cli_commands[i];
    }
  }
  return NULL;
}
