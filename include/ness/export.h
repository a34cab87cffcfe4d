/* The one export macro: everything else in the library is hidden. */
#ifndef NESS_EXPORT_H
#define NESS_EXPORT_H

#if defined(__GNUC__)
#define NESS_API __attribute__((visibility("default")))
#else
#define NESS_API
#endif

#endif
