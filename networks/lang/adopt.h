/* A model made from a network that no file of the language describes, for networks that come from elsewhere. */
#ifndef NETWORKS_ADOPT_H
#define NETWORKS_ADOPT_H

#include "networks/lang/lang.h"

/* A model in natural units around a ready network of slots and mass-action steps (NESS_USAGE where it has reservoirs,
 * voltages, heats, expressions or observables), and a file without statements, whose text (in a bundle) says where the
 * network comes from. Species, steps, proteins and cycles can be asked for by name; in a network of more than
 * LANG_MAX_ITEMS slots or steps nothing can, and a note says so. Takes the network over when it succeeds. Owned:
 * lang_model_free, then lang_file_free. */
ness_status lang_adopt(ness_network *network, const char *path, ness_diags *diags, lang_file **file, lang_model **out);

#endif
