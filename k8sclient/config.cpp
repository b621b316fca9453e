#include "k8sclient/config.h"
