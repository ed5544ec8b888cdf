/* The program's entry. */
#include <stdio.h>

int main(void)
{
	puts("triton: one Docker host made of many machines");
	return 0;
}
