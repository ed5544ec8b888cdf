/* What libnl's configure would have found out; it needs bison and flex for parts that we do not use. */
#define PACKAGE_NAME "libnl"
#define PACKAGE_STRING "libnl 3.7.0"
#define PACKAGE_VERSION "3.7.0"
#define HAVE_STRERROR_L 1
