/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/datapath/drop.h"

const struct drop_info drop_info[DROP_N_REASONS] = {
#define DROP_INFO(symbol, text, way, words) [DROP_##symbol] = { #text, DROP_##way, words },
	DROP_TABLE(DROP_INFO)
#undef DROP_INFO
};
