#include "clinux.h"

char **bh_environ(void) { return environ; }
