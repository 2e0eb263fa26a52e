// simdjson behind a C surface: one header for each thing that is read.
#ifndef BULKHEAD_CSIMDJSON_H
#define BULKHEAD_CSIMDJSON_H
#include "json_tree.h"
#include "polymarket_stream.h"
#endif
