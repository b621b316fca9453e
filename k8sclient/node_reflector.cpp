#include "k8sclient/node_reflector.h"
