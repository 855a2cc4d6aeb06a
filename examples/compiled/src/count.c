// Counts the lines of a file.
#include <errno.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "count FILE\n");
    return 2;
  }
  FILE* file = fopen(argv[1], "r");
  if (file == NULL) {
    fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
    return 1;
  }
  long lines = 0;
  for (int c; (c = getc(file)) != EOF;)
    lines += c == '\n';
  printf("%ld %s\n", lines, argv[1]);
  return fclose(file) == 0 ? 0 : 1;
}
