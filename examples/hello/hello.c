#include <stdio.h>

int main(void) {
  puts("hello from an image made of one file");
  return 0;
}
