#include "clinux.h"

// A C target needs one object file; everything else here is inline.
int bh_unused_clinux(void) { return 0; }
