/*
 * The clock by which what is tested decides who is silent, and who had his share of our time: it stands, so that
 * a slow machine decides nothing. The loop looks at its own, so timers are due as ever. For one source file of a
 * program, which says in a line WRAP: loop_now_ms loop_now_us.
 */
#ifndef MSB_UNIT_CLOCK_H
#define MSB_UNIT_CLOCK_H

#include <stdint.h>

#define UNIT_NOW_MS (3600 * 1000)

uint64_t __wrap_loop_now_ms(void);
uint64_t __wrap_loop_now_us(void);

uint64_t __wrap_loop_now_ms(void)
{
	return UNIT_NOW_MS;
}

uint64_t __wrap_loop_now_us(void)
{
	return UNIT_NOW_MS * UINT64_C(1000);
}

#endif
