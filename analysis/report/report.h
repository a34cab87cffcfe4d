/* A report: one HTML page that needs nothing else, made of results that are there already. This room draws and writes;
 * it computes nothing that a result holds, so every number of the page is a number of a document. Its contract is
 * report_write; the rest of this header is what the files of the room share. */
#ifndef ANALYSIS_REPORT_H
#define ANALYSIS_REPORT_H

#include "analysis/windows.h"
#include "engine/base/doc_node.h"
#include "engine/model/model.h"
#include <string.h>

typedef struct report_sources { /* all borrowed; NULL: not there, and the `no_` text says why */
  const ness_network *net;
  const ness_doc *check, *solve, *scan, *analyze;
  const windows *windows;
  const char *no_check, *no_solve, *no_scan, *no_windows;
  const char *scan_of;    /* what the scan runs over, in words */
  const char *scan_cmd;   /* the command that makes the same table */
  const char *path;       /* of what is reported */
  const char *model_path; /* of the model, as a command would name it */
  const char *command;    /* that made the page; and of the run, for a dump */
  const char *run_command, *run_version, *seed, *hash, *settings, *machine, *level;
  const char *model_text;
  const char
      *standing; /* an input that moves continuously, and stands at its value in the file in `check`; NULL none */
  bool dot;      /* lay the network out with Graphviz where it is installed */
} report_sources;

/* `with`, and that an input stands where it moves; nothing where none does. */
void put_standing(text_buffer *out, const report_sources *in, const char *with);

/* Whether what was solved are the rate equations: means, not the exact answer. */
static inline bool report_rates(const report_sources *self)
{
  const char *const asked = self->solve ? ness_doc_string(self->solve, "question") : NULL;
  return asked && strcmp(asked, "ode") == 0;
}

typedef struct report_summary {
  int32_t figures, tables;
  const char *layout; /* how the network was laid out; a static text */
} report_summary;

/* The page, appended to `out`. NESS_NOMEM is the only failure. */
ness_status report_write(const report_sources *in, text_buffer *out, report_summary *summary);

/* --- html.c: text, numbers and tables --- */

/* Text with everything escaped that could be read as markup, and what is no UTF-8 replaced. */
void html_text(text_buffer *out, const char *text);
void html_number(text_buffer *out, double value, int digits);
/* A key of a document in words, with its unit: "affinity_kt" is "affinity (kT)". */
void html_key(text_buffer *out, const char *key);
/* A value of a document on one line. */
void html_value(text_buffer *out, const doc_node *node);
/* A table of an array of objects. `columns` (NULL-terminated, or NULL for all) chooses and orders; at most `most` rows
 * (0 all), and a line says how many were left out. */
void html_table(text_buffer *out, const doc_node *array, const char *caption, const char *const *columns, int32_t most);
/* The same of the rows that `takes` takes; NULL: all. */
void html_table_where(text_buffer *out, const doc_node *array, const char *caption, const char *const *columns,
                      int32_t most, bool (*takes)(const doc_node *row));
/* The members of a document node as lists, tables and sections with headings from h`level` on. */
void html_members(text_buffer *out, const doc_node *node, int level);
/* Heads stand over numbers, right-aligned, but for the first and those that begin with '<'. */
void html_table_begin(text_buffer *out, const char *caption, const char *const *heads, int32_t count);
void html_table_end(text_buffer *out);
void html_cell_name(text_buffer *out, const char *text);
void html_cell_text(text_buffer *out, const char *text);
void html_cell_number(text_buffer *out, double value);
/* A number with a bar of `share` (0 ... 1) of the cell behind it. */
void html_cell_bar(text_buffer *out, double value, double share);
/* A share as percent with its bar. */
void html_cell_share(text_buffer *out, double share);

const doc_node *node_get(const doc_node *object, const char *key); /* NULL: none */
double node_number(const doc_node *object, const char *key);       /* NAN: none */
const char *node_string(const doc_node *object, const char *key);  /* NULL: none */
/* A column of a table of objects, from the arena; NAN where there is none. NULL: memory is out. */
double *node_column(arena *memory, const doc_node *table, const char *key);

/* --- plot.c: axes and marks as SVG --- */

typedef enum plot_kind { PLOT_LINE, PLOT_DASHED, PLOT_DOTS, PLOT_BARS, PLOT_BAND } plot_kind;

#define PLOT_SERIES 6

typedef struct plot_series {
  plot_kind kind;
  int32_t n;
  const double *x, *y;
  const double *low, *high; /* (n) of a band, or whiskers of dots; NULL: none */
  const char *name;         /* in the legend and the table; NULL: neither */
} plot_series;

typedef struct plot {
  const char *title, *text;      /* what it is and what it shows, for those who do not see it */
  const char *x_title, *y_title; /* with units */
  double height;                 /* of the drawing, of which the width is PLOT_WIDTH; 0: PLOT_HEIGHT */
  plot_series series[PLOT_SERIES];
  int32_t count;
  bool from_zero; /* the y axis holds 0 */
  bool x_log;     /* x are decimal logarithms */
  bool y_log;     /* so are y */
  bool bare;      /* the caller has a table */
} plot;

#define PLOT_WIDTH 640.0
#define PLOT_HEIGHT 300.0

typedef struct plot_scale { /* a round range and its marks */
  double from, to, step;
  int power; /* numbers on the axis are divided by 10^power */
  bool log;  /* what stands here are decimal logarithms, marked as powers of ten */
} plot_scale;

typedef struct plot_box { /* a field with its axes */
  plot_scale x, y;
  double left, right, top, bottom;
} plot_box;

plot_scale plot_scale_of(double low, double high, int marks);
/* One that ends where the data do; marks stand where they are round. */
plot_scale plot_scale_within(double low, double high, int marks, bool log);
/* Whether values rise by one factor, and far enough for an axis of powers of ten. */
bool plot_by_factors(const double *x, int32_t n);
void plot_mark(char out[32], const plot_scale *scale, double value);

typedef struct plot_row { /* of a chart of intervals */
  const char *name;
  double value, low, high;
} plot_row;

/* Where a value stands; the border of the field when it lies outside. */
double plot_x(const plot_box *self, double x);
double plot_y(const plot_box *self, double y);
/* The name of an axis, with "x 10^power". */
void plot_title(text_buffer *out, const char *title, int power);
void plot_axes(text_buffer *out, const plot *self, const plot_box *at);
/* A figure with caption and a table of its numbers; `number` makes its ids unique. */
void plot_figure(text_buffer *out, const plot *self, const char *caption, int32_t number);
/* Rows of a dot with whiskers around 0, which is where they should be; a band from -1.96 to 1.96. */
void plot_rows(text_buffer *out, const plot_row *rows, int32_t count, const char *title, const char *caption,
               int32_t number);
void figure_begin(text_buffer *out, const char *caption, int32_t number);
void svg_begin(text_buffer *out, double width, double height, const char *title, const char *text, int32_t number,
               const char *class);

/* --- graph.c: what is drawn of a network --- */

typedef struct graph_node {
  char *label;    /* owned by the arena */
  bool reservoir; /* holds no counts: what stands outside */
  double weight;  /* sum of the currents through it */
  double x, y, w, h;
} graph_node;

typedef struct graph_edge {
  int32_t step, from, to;
  double net, entropy, ratio; /* 1/s; k_B/s; |ln(forward/backward)|, inf one-way; NAN: not known */
  double x[64], y[64];        /* control points of a chain of cubic curves */
  int32_t points;
  double label_x, label_y, label_w; /* middle and width of the name */
  int32_t beside;                   /* other edges that this one's name stands for; -1: it has none of its own */
} graph_edge;

typedef struct graph {
  graph_node *nodes;
  graph_edge *edges;
  int32_t nnode, nedge;
  int32_t left_out; /* nodes of the network that are not drawn */
  double width, height;
  const char *layout;
  bool labels; /* edges have room for their names */
  arena memory;
} graph;

#define GRAPH_NODES 60
#define GRAPH_POINTS 64

/* Nodes are the complexes of a network's steps (for a protein, its states), edges its steps. NESS_NOMEM. */
ness_status graph_build(graph *self, const report_sources *in);
void graph_free(graph *self);

/* --- layout.c, dot.c: where nodes, edges and their names stand --- */

void layout_graph(graph *self, bool dot);
/* With Graphviz; false when it is not there, fails, or takes too long. */
bool dot_layout(graph *self);

/* --- network.c: the drawing --- */
const char *network_figure(text_buffer *out, const report_sources *in, int32_t number, ness_status *status);

/* --- chapters.c, cycles.c, estimates.c, figures.c, spectra.c: the parts of the page --- */

typedef struct report_page {
  const report_sources *in;
  text_buffer body, contents;
  int32_t figures, sections;
  const char *layout;
  ness_status status;
} report_page;

void page_head(text_buffer *out, const char *name, const char *kind); /* up to <body> with this class */
void page_foot(text_buffer *out);
void page_section(report_page *self, const char *id, const char *title); /* closes the one before */
void page_end(report_page *self);
void chapter_verdict(report_page *self);
void chapter_network(report_page *self);
void chapter_cycles(report_page *self);
void chapter_curves(report_page *self);
void chapter_entropy(report_page *self);
void chapter_sheet(report_page *self);
void chapter_estimates(report_page *self);
void chapter_phases(report_page *self);
void chapter_spectra(report_page *self);
void chapter_convergence(report_page *self);
void chapter_further(report_page *self);
void chapter_reproduce(report_page *self);
void chapter_everything(report_page *self);

/* --- map.c: values over two parameters --- */

typedef struct map_view {
  const double *x, *y; /* (nx), (ny) of the columns and rows of cells; they rise or fall */
  const double *value; /* (ny x nx); NAN: an empty cell */
  int32_t nx, ny;
  const char *x_title, *y_title, *title; /* with units; title: of the value */
} map_view;

void map_figure(text_buffer *out, const map_view *self, int32_t number);

/* --- style.c --- */
extern const char *const report_style;
extern const char *const report_script;

#endif
