/* What the commands about a model share: loading it under the settings of the command line, and the options of a
 * simulation. Invariant: a word behind the model is a setting, or what the command says it may be, or an error. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

bool cli_is_setting(const char *word)
{
  const char *const equals = strchr(word, '=');
  return equals && equals > word && equals[1];
}

bool cli_is_range(const char *word)
{
  return cli_is_setting(word) && strchr(strchr(word, '='), ':');
}

int cli_load(cli *self, bool (*is_other)(const char *word), cli_list *others, ness_diags *diags, ness_model **model)
{
  const cli_list *const words = &self->given.words;
  cli_list settings = {0};
  int code = 0;
  for (int32_t i = 1; i < words->count && !code; i++) {
    const char *const word = words->item[i];
    const bool other = is_other && is_other(word);
    if (!other && !cli_is_setting(word)) {
      code = cli_error(self, NESS_USAGE, "settings look like V=-50[mV]", "'%s' is not NAME=VALUE", word);
    } else if (!cli_list_add(other ? others : &settings, word)) {
      code = cli_error(self, NESS_NOMEM, NULL, "out of memory");
    }
  }
  if (!code) {
    const ness_status status = ness_model_load(words->item[0], NULL, settings.item, settings.count, diags, model);
    code = status ? cli_end(self, status, words->item[0], diags, NULL) : 0;
  } else {
    ness_diags_free(diags);
  }
  free(settings.item);
  return code;
}

ness_simulate_options cli_simulation(cli *self, cli_progress *progress)
{
  const cli_values *const given = &self->given;
  return (ness_simulate_options){
      .struct_size = sizeof(ness_simulate_options),
      .replicas = given->replicas,
      .time = given->time,
      .events = given->events,
      .warmup = given->warmup,
      .seed = given->seed,
      .threads = (int32_t)given->threads,
      .method = given->method,
      .path = given->output,
      .overwrite = given->force,
      .level = given->level,
      .window = given->window,
      .every = given->every,
      .command = self->line,
      .progress = cli_progress_call,
      .progress_context = progress,
      .epsilon = given->epsilon,
  };
}

int cli_check_simulation(const cli *self, bool in_time)
{
  const cli_values *const given = &self->given;
  const bool simulated = (given->time > 0 && !in_time) || given->events || given->replicas || given->warmup > 0 ||
                         given->method || given->epsilon > 0 || given->precision > 0;
  if (given->simulate && !(given->time > 0) && given->events == 0) {
    return cli_error(self, NESS_USAGE, "--time or --events say when a replica ends", "a simulated %s needs an end",
                     self->command->name);
  }
  if (!given->simulate && simulated) {
    return cli_error(self, NESS_USAGE, "--simulate simulates each point; without it all is exact",
                     "options of a simulation without --simulate");
  }
  return 0;
}
