/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "config/sluiced_config.h"

/* What must hold between the roles of ports: a part of sluiced_config_check(). -EINVAL. */
int sluiced_config_check_roles(const struct sluiced_config *config, struct err *err);
