/* The page as a whole: the order of its chapters, the list of contents, head and foot. Invariant: the sentence on top
 * is the document's own; a chapter that has nothing to show says why and what would give it; whatever chapter a
 * document holds that this room does not know is shown as tables, so that nothing is lost. Cost: O(output). */
#include "analysis/report/report.h"

#include <string.h>

void page_section(report_page *self, const char *id, const char *title)
{
  if (self->sections++) text_add(&self->body, "</section>\n");
  text_add(&self->body, "<section aria-labelledby=\"%s\"><h2 id=\"%s\">%s</h2>\n", id, id, title);
  text_add(&self->contents, "<li><a href=\"#%s\">%s</a></li>", id, title);
}

void page_end(report_page *self)
{
  if (self->sections) text_add(&self->body, "</section>\n");
}

static const char *model_name(const report_sources *in)
{
  const char *const name = in->net->model_name;
  return name && *name ? name : "model";
}

void page_head(text_buffer *out, const char *name, const char *kind)
{
  text_add(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
  html_text(out, name);
  text_add(out, " &#183; ness ");
  html_text(out, kind);
  text_add(out, "</title>\n<meta name=\"generator\" content=\"ness %s\">\n", ness_version_text());
  text_add(out, "<link rel=\"icon\" href=\"data:,\">\n<style>");
  text_put(out, report_style, strlen(report_style));
  text_add(out, "</style>\n</head>\n<body class=\"");
  html_text(out, kind);
  text_add(out, "\">\n<a class=\"skip\" href=\"#content\">Skip to the content</a>\n");
}

void page_foot(text_buffer *out)
{
  text_add(out,
           "<footer><p class=\"note\">Written by ness %s. Everything on this page is in this one file; it asks nothing "
           "of a network.</p></footer>\n<script>",
           ness_version_text());
  text_put(out, report_script, strlen(report_script));
  text_add(out, "</script>\n</body>\n</html>\n");
}

ness_status report_write(const report_sources *in, text_buffer *out, report_summary *summary)
{
  report_page self = {.in = in};
  report_page top = {.in = in};
  chapter_network(&self);
  chapter_cycles(&self);
  chapter_curves(&self);
  chapter_entropy(&self);
  chapter_sheet(&self);
  chapter_estimates(&self);
  chapter_phases(&self);
  chapter_spectra(&self);
  chapter_convergence(&self);
  chapter_further(&self);
  chapter_everything(&self);
  chapter_reproduce(&self);
  page_end(&self);
  chapter_verdict(&top);
  page_head(out, model_name(in), "report");
  text_add(out, "<header>\n<h1>");
  html_text(out, model_name(in));
  text_add(out, "</h1>\n");
  if (top.body.data) text_put(out, top.body.data, top.body.length);
  text_add(out, "<nav aria-label=\"Contents\"><ul>");
  if (self.contents.data) text_put(out, self.contents.data, self.contents.length);
  text_add(out, "</ul></nav>\n</header>\n<main id=\"content\" tabindex=\"-1\">\n");
  if (self.body.data) text_put(out, self.body.data, self.body.length);
  text_add(out, "</main>\n");
  page_foot(out);
  const bool failed = self.body.failed || self.contents.failed || top.body.failed || out->failed;
  *summary = (report_summary){.figures = self.figures, .layout = self.layout};
  text_clear(&self.body);
  text_clear(&self.contents);
  text_clear(&top.body);
  return self.status ? self.status : failed ? NESS_NOMEM : NESS_OK;
}
