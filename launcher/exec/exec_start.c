/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Where the kernel enters sluice-exec, with its arguments, environment and auxiliary vector on the
 * stack (System V ABI, "process initialization"):
 *
 *      argc, argv[0] ... NULL, environ[0] ... NULL, { type, value } ... { AT_NULL, 0 }
 *
 * argc and argv are moved up over the environment, and we go on where the kernel would have
 * entered, at _start of the C library. The strings stay where they are, one behind the other, as
 * the kernel has put them and /proc/PID/environ shows them: of them the vector is made again when
 * it is asked for.
 *
 * exec_start_hide() runs before the C library is there: it makes no call, also none that a compiler
 * would make of a loop (hence volatile), and has no stack protector.
 */

#include "launcher/exec/exec_start.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static struct {
	char *first;
	size_t n;
} hidden;

static char *const none[] = { NULL };
static const char nothing[] = "";

void *exec_start_hide(volatile uintptr_t *stack);

#if defined(__x86_64__)
__asm__(".text\n"
	".globl exec_start\n"
	".type exec_start, @function\n"
	"exec_start:\n"
	"	xorl %ebp, %ebp\n"
	"	movq %rsp, %rdi\n"
	"	call exec_start_hide\n"
	"	movq %rax, %rsp\n"
	"	xorl %edx, %edx\n" /* nothing to be called at exit */
	"	jmp _start\n"
	".size exec_start, . - exec_start\n");
#elif defined(__aarch64__)
__asm__(".text\n"
	".globl exec_start\n"
	".type exec_start, %function\n"
	"exec_start:\n"
	"	mov x29, #0\n"
	"	mov x0, sp\n"
	"	bl exec_start_hide\n"
	"	mov sp, x0\n"
	"	mov x0, #0\n" /* nothing to be called at exit */
	"	mov x30, #0\n"
	"	b _start\n"
	".size exec_start, . - exec_start\n");
#else
#error "exec_start_plain.c is for this machine"
#endif

/* The new stack pointer, which is as aligned as the old one: an odd string leaves an empty one. */
__attribute__((no_stack_protector)) void *exec_start_hide(volatile uintptr_t *stack)
{
	size_t n_words = stack[0] + 2; /* argc, argv and its NULL */
	volatile uintptr_t *env = stack + n_words;
	size_t n = 0, up;

	while (env[n] != 0)
		n++;
	if (n > 0)
		hidden.first = (char *)env[0];
	hidden.n = n;
	up = n & ~(size_t)1;
	if ((n & 1) != 0)
		env[n - 1] = (uintptr_t)nothing;
	for (size_t i = n_words; i > 0; i--)
		stack[up + i - 1] = stack[i - 1];
	return (void *)(stack + up);
}

char *const *exec_start_environ(void)
{
	static char **strings;
	char *at = hidden.first;

	if (strings != NULL || hidden.n == 0)
		return strings != NULL ? strings : none;
	strings = calloc(hidden.n + 1, sizeof(*strings));
	if (strings == NULL)
		return none;
	for (size_t i = 0; i < hidden.n; i++, at += strlen(at) + 1)
		strings[i] = at;
	return strings;
}
