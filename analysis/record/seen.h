/* What others may ask about a measured record: whether a file is none, and the network of the states seen. */
#ifndef ANALYSIS_RECORD_SEEN_H
#define ANALYSIS_RECORD_SEEN_H

#include "engine/model/model.h"
#include <ness/analyze.h>
#include <stdbool.h>

/* No text begins as a dump does. */
bool record_is_dump(const char *path);
/* Reads the record once; what is wrong with it ness_analyze says. network_free is due. */
ness_status record_seen(const char *path, const ness_analyze_options *options, ness_network **out);

#endif
