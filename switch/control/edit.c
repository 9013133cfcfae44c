/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/control/edit.h"

#include "switch/control/apply.h"

int edit_begin(struct control *c, struct sluiced_config *next, struct err *err)
{
	int ret = sluiced_config_copy(next, &c->sw.config);

	return ret < 0 ? err_set(err, ret, "out of memory") : 0;
}

/* Has the edited configuration applied, whose owner this is. */
static json_t *apply(struct control *c, struct sluiced_config *next, struct err *err)
{
	json_t *changes = json_array();
	int ret = sluiced_config_check(next, err);

	if (ret == 0)
		ret = switch_apply(&c->sw, next, changes, err);
	sluiced_config_free(next);
	if (ret == 0)
		return changes;
	json_decref(changes);
	return NULL;
}

json_t *edit_end(struct control *c, struct sluiced_config *next, int ret, struct err *err)
{
	if (ret == 0)
		return apply(c, next, err);
	sluiced_config_free(next);
	return NULL;
}
