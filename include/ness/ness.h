/* Everything of ness in one include. */
#ifndef NESS_NESS_H
#define NESS_NESS_H

#include <ness/analyze.h>
#include <ness/diag.h>
#include <ness/doc.h>
#include <ness/dump.h>
#include <ness/interrupt.h>
#include <ness/model.h>
#include <ness/report.h>
#include <ness/simulate.h>
#include <ness/status.h>
#include <ness/study.h>
#include <ness/version.h>

#endif
