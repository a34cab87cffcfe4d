/* The first reading: which states there are, how long each was held, which went into which, how long replicas are.
 * Invariant: tables grow with states, transitions and replicas and with nothing else; a row moves one replica's clock,
 * the same way in both readings. Cost: 15 ns a row behind its parsing. */
#include "analysis/record/record.h"

#include <math.h>
#include <string.h>

#define EVEN_TOLERANCE 0.01 /* of a step: times may have been rounded */
#define EVEN_ROWS 10
#define SAMPLE_FIRST 4096 /* rows whose times are looked at, and then every so many */
#define SAMPLE_MOST 8192

/* --- the map --- */

static ness_status map_add(record *self, word from, word to, int64_t line)
{
  char number[32];
  double value;
  if (from.length == 0 || to.length == 0) {
    diag_add(self->diags, NESS_ERROR, "the map gives %s without a name", from.length ? "a class" : "a state");
    return NESS_USAGE;
  }
  if (word_number(from, &value)) {
    number_exact(value == 0 ? 0 : value, number);
    from = (word){number, strlen(number)};
  }
  const int32_t had = self->map.from.count;
  const int32_t id = names_add(&self->map.from, from.text, from.length);
  const int32_t class = names_add(&self->states, to.text, to.length);
  if (id < 0 || class < 0 ||
      !mem_grow(&self->map.class_of, &self->map.room, self->map.from.count, sizeof *self->map.class_of))
    return NESS_NOMEM;
  if (id < had && self->map.class_of[id] != class) {
    diag_add(self->diags, NESS_ERROR, "the map puts state '%.*s' into two classes", (int)from.length, from.text);
    if (line > 0) diag_hint(self->diags, "for the second time in line %lld", (long long)line);
    return NESS_USAGE;
  }
  self->map.class_of[id] = class;
  return NESS_OK;
}

/* "open=O1,O2 shut=C1" */
static ness_status map_text(record *self, const char *text)
{
  ness_status status = NESS_OK;
  while (!status && *(text += strspn(text, " ;"))) {
    const size_t whole = strcspn(text, " ;"), name = strcspn(text, "=");
    for (const char *p = text + name; !status && p < text + whole;) {
      const char *const from = ++p;
      p += strcspn(p, ", ;");
      status = map_add(self, (word){from, (size_t)(p - from)}, (word){text, name}, 0);
    }
    text += whole;
  }
  return status;
}

/* A file of two columns: state, class. */
static ness_status map_file(record *self, const char *path)
{
  reading r;
  word cell[3];
  ness_status status = reading_open(&r, path, NULL, 0, self->diags, NULL), added = NESS_OK;
  cells line = {&r, ',', false};
  bool first = true;
  while (!status && !added && reading_row(&r, '#')) {
    if (first) line.comma = cells_comma(&r);
    int32_t n = 0;
    while (n < 3 && cells_next(&line, &cell[n])) n++;
    if (n != 2) reading_fail(&r, NULL, NULL, "expected two columns: a state and its class");
    else if (!(first && word_is(cell[0], "state"))) added = map_add(self, cell[0], cell[1], r.number);
    first = false;
  }
  const ness_status closed = reading_close(&r);
  status = status ? status : added ? added : closed;
  return status == NESS_MODEL ? NESS_FORMAT : status;
}

ness_status record_map_read(record *self, const char *map)
{
  const ness_status status = strchr(map, '=') ? map_text(self, map) : map_file(self, map);
  if (!status && self->map.from.count == 0) {
    diag_add(self->diags, NESS_ERROR, "the map %s is empty", map);
    diag_hint(self->diags, "--map \"open=O1,O2 shut=C1\", or a file of rows state,class");
    return NESS_USAGE;
  }
  self->hidden = self->states.count < self->map.from.count;
  return status;
}

/* --- rows --- */

record_move record_track_row(record_track *self, const record_layout *layout, double number, int32_t state,
                             int32_t *from)
{
  const bool begun = self->rows++ > 0, dwells = layout->form == RECORD_DWELLS;
  double t = self->last;
  *from = self->state;
  if (layout->form == RECORD_STEPS) number = (double)(self->rows - 1) * layout->step;
  if (isnan(number)) {
    self->rows -= !begun;
    self->state = -1;
    return *from >= 0 ? RECORD_CUT : RECORD_SAME;
  }
  if (!dwells) {
    if (!begun) self->first = number;
    t = number - self->first;
    if (t < self->last) return RECORD_BACK;
  } else if (number < 0) {
    return RECORD_BAD;
  }
  const bool tie = dwells ? number == 0 : begun && t == self->last;
  self->last = t;
  if (dwells) { /* Kahan 1965: the clock forgets nothing of short dwells */
    const double add = number - self->rest, sum = t + add;
    self->rest = sum - t - add;
    self->last = sum;
  }
  if (state == self->state) return RECORD_SAME;
  self->state = state;
  if (state < 0) return RECORD_CUT;
  return *from < 0 ? RECORD_BEGIN : tie ? RECORD_TIE : RECORD_JUMP;
}

typedef struct survey {
  record *owner;
  double *since; /* (replicas) when the present state was entered */
  double *even;  /* (replicas) first step */
  int64_t since_room, even_room, repeats;
  bool uneven;
  double *sample; /* of times */
  int64_t samples;
} survey;

static ness_status survey_room(survey *self, int32_t replica)
{
  record *const owner = self->owner;
  const int64_t tracks = owner->track_room, states = owner->at_room, since = self->since_room, even = self->even_room;
  if (!mem_grow(&owner->track, &owner->track_room, replica + 1, sizeof *owner->track) ||
      !mem_grow(&owner->at, &owner->at_room, owner->states.count, sizeof *owner->at) ||
      !mem_grow(&self->since, &self->since_room, replica + 1, sizeof *self->since) ||
      !mem_grow(&self->even, &self->even_room, replica + 1, sizeof *self->even))
    return NESS_NOMEM;
  for (int64_t i = tracks; i < owner->track_room; i++) owner->track[i] = (record_track){.state = -1};
  for (int64_t i = states; i < owner->at_room; i++) owner->at[i] = (record_state){0};
  for (int64_t i = since; i < self->since_room; i++) self->since[i] = 0;
  for (int64_t i = even; i < self->even_room; i++) self->even[i] = 0;
  return NESS_OK;
}

static ness_status survey_jump(record *self, int32_t from, int32_t to)
{
  const uint64_t key = ((uint64_t)(uint32_t)from << 32 | (uint32_t)to) + 1;
  int64_t *const known = loop_map_find(&self->edge_of, key);
  self->at[from].left++;
  self->at[to].entered++;
  if (known) {
    self->edge[*known].count++;
    return NESS_OK;
  }
  if (self->edges >= RECORD_EDGES) {
    diag_add(self->diags, NESS_ERROR, "%s has more than %d different transitions", self->path, RECORD_EDGES);
    diag_hint(self->diags, "idealise the record first, or put states together with --map");
    return NESS_LIMIT;
  }
  if (!mem_grow(&self->edge, &self->edge_room, self->edges + 1, sizeof *self->edge) ||
      !loop_map_add(&self->edge_of, key, self->edges))
    return NESS_NOMEM;
  self->edge[self->edges++] = (record_edge){1, from, to};
  return NESS_OK;
}

static ness_status survey_back(const record *self, const record_rows *rows, int64_t i, const record_track *track)
{
  char now[32], before[32];
  number_short(rows->number[i], 12, now);
  number_short(track->first + track->last, 12, before);
  diag_add_at(self->diags, NESS_ERROR, self->path, rows->line[i], 0, 1, NULL,
              self->layout.replica < 0 ? "several records in one file need a column that tells them apart (--columns "
                                         "time,state,replica); a column of dwell times is --columns dwell,state"
                                       : NULL,
              "time goes back, from %s to %s", before, now);
  return NESS_FORMAT;
}

/* Whether rows stay at equal steps. */
static void survey_even(survey *self, const record_rows *rows, int64_t i, double before, bool first, bool same)
{
  const int32_t replica = rows->replica[i];
  const double step = self->owner->track[replica].last - before;
  if (first || self->owner->layout.form == RECORD_DWELLS) return;
  if (self->even[replica] == 0) self->even[replica] = step;
  if (!(fabs(step - self->even[0]) <= EVEN_TOLERANCE * self->even[0])) self->uneven = true;
  self->repeats += same && rows->state[i] >= 0;
}

static ness_status survey_visit(void *context, const record_rows *rows)
{
  survey *const self = context;
  record *const owner = self->owner;
  ness_status status = NESS_OK;
  if (rows->cut > 0) {
    diag_add_at(owner->diags, NESS_WARNING, owner->path, (int32_t)rows->cut, 0, 1, NULL, NULL,
                "the last line is cut off and was left out");
  }
  for (int64_t i = 0; i < rows->count && !status; i++) {
    const int32_t replica = rows->replica[i], state = rows->state[i];
    if (replica >= owner->track_room || owner->states.count > owner->at_room || replica >= self->even_room)
      status = survey_room(self, replica);
    if (status) return status;
    record_track *const track = &owner->track[replica];
    const double before = track->last;
    const bool first = track->rows == 0;
    int32_t from;
    const record_move move = record_track_row(track, &owner->layout, rows->number[i], state, &from);
    const double t = owner->layout.form == RECORD_DWELLS ? before : track->last;
    survey_even(self, rows, i, before, first || isnan(rows->number[i]), move == RECORD_SAME);
    if ((owner->rows + i < SAMPLE_FIRST || (owner->rows + i) % SAMPLE_FIRST == 0) && self->samples < SAMPLE_MOST)
      self->sample[self->samples++] = fabs(rows->number[i]);
    owner->gaps += state < 0 || isnan(rows->number[i]);
    switch (move) {
    case RECORD_SAME: break;
    case RECORD_BACK: return survey_back(owner, rows, i, track);
    case RECORD_BAD:
      diag_add_at(owner->diags, NESS_ERROR, owner->path, rows->line[i], 0, 1, NULL, NULL, "a dwell time below zero");
      return NESS_FORMAT;
    case RECORD_BEGIN: self->since[replica] = t; break;
    case RECORD_TIE:
      if (owner->ties++ == 0) owner->first_tie = rows->line[i];
      /* fallthrough */
    case RECORD_JUMP: status = survey_jump(owner, from, state); /* fallthrough */
    case RECORD_CUT:
      owner->at[from].dwell += t - self->since[replica];
      self->since[replica] = t;
      break;
    }
  }
  owner->rows += rows->count;
  return status;
}

static void survey_end(survey *self)
{
  record *const owner = self->owner;
  double time = 0;
  int64_t steps = 0;
  for (int32_t r = 0; r < owner->replicas.count; r++) {
    record_track *const track = &owner->track[r];
    if (track->state >= 0) owner->at[track->state].dwell += track->last - self->since[r];
    owner->longest = fmax(owner->longest, track->last);
    time += track->last;
    steps += track->rows > 0 ? track->rows - 1 : 0;
    *track = (record_track){.state = -1, .first = track->first, .total = track->rows};
  }
  const bool even = !self->uneven && self->repeats > 0 && steps >= EVEN_ROWS;
  owner->sampled = owner->layout.form == RECORD_STEPS || (owner->layout.form == RECORD_TIMES && even);
  const record_layout *const layout = &owner->layout;
  const npy_field *const field =
      &layout->head.field[layout->head.fields > 1 && layout->number >= 0 ? layout->number : 0];
  owner->tick = record_tick(self->sample, self->samples, layout->npy && field->kind == 'f' && field->item == 4,
                            layout->form == RECORD_TIMES);
  if (owner->layout.form == RECORD_STEPS) owner->step = owner->layout.step;
  else if (owner->sampled) owner->step = time / (double)steps;
}

/* Nothing can be said of one state, or of no time. */
static ness_status survey_judge(const record *self)
{
  int32_t seen = 0, one = 0;
  for (int32_t i = 0; i < self->states.count; i++) {
    const bool met = self->at[i].dwell > 0 || self->at[i].entered + self->at[i].left > 0;
    seen += met;
    one = met ? i : one;
  }
  if (seen > 1 && self->longest > 0) return NESS_OK;
  if (self->rows == 0 || seen == 0) diag_add(self->diags, NESS_ERROR, "%s holds no state", self->path);
  else if (!(self->longest > 0))
    diag_add(self->diags, NESS_ERROR, "%s holds no stretch of time: all its rows stand at one moment", self->path);
  else
    diag_add(self->diags, NESS_ERROR, "%s has one state only, %s: nothing flows", self->path,
             names_text(&self->states, one));
  return NESS_FORMAT;
}

ness_status record_survey(record *self)
{
  survey work = {.owner = self};
  if (self->layout.replica < 0 && names_add(&self->replicas, "1", 1) < 0) return NESS_NOMEM;
  work.sample = mem_alloc(SAMPLE_MOST * sizeof *work.sample);
  ness_status status = work.sample ? survey_room(&work, 0) : NESS_NOMEM;
  if (!status) status = record_scan(self, 0, survey_visit, &work);
  if (!status) status = survey_room(&work, self->replicas.count > 0 ? self->replicas.count - 1 : 0);
  if (!status) {
    survey_end(&work);
    status = survey_judge(self);
  }
  mem_free(work.since);
  mem_free(work.even);
  mem_free(work.sample);
  return status;
}

/* --- what is odd --- */

void record_remarks(const record *self)
{
  text_buffer never = {0};
  int32_t stuck = 0;
  if (self->gaps > 0) {
    diag_add(self->diags, NESS_NOTE, "%s: %lld row%s without a state or a time: the record is cut there", self->path,
             (long long)self->gaps, self->gaps == 1 ? "" : "s");
  }
  if (self->ties > 0) {
    diag_add(self->diags, NESS_WARNING,
             "%s: %lld state%s last no time, first in line %lld: taken in the order of the file", self->path,
             (long long)self->ties, self->ties == 1 ? "" : "s", (long long)self->first_tie);
    diag_hint(self->diags, "two states at one time may come from rounded times");
  }
  for (int32_t i = 0; i < self->states.count; i++) {
    const record_state *const at = &self->at[i];
    if ((at->left > 0) == (at->entered > 0) || at->left + at->entered == 0) continue;
    if (stuck++ < 8)
      text_add(&never, "%s%s is never %s", stuck > 1 ? ", " : "", names_text(&self->states, i),
               at->left > 0 ? "entered" : "left");
  }
  if (stuck > 0) {
    diag_add(self->diags, NESS_WARNING, "%s: %s%s", self->path, never.data ? never.data : "",
             stuck > 8 ? ", and more" : "");
    diag_hint(self->diags, "such a state belongs to no cycle, and its rates are known one way only");
  }
  text_clear(&never);
}
