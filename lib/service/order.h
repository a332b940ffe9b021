/* SPDX-License-Identifier: MIT */
/* order - which of two names comes later in the tar stream that a record stands for */
#ifndef SERVICE_ORDER_H
#define SERVICE_ORDER_H

/* 1 if the last entry named A comes after the last one named B, else 0. RECORD is the record of
 * a tar stream, open for reading; contents of files are not needed. Names are compared as
 * entries spell them, normalised. */
int order_later(int record, const char *a, const char *b);

#endif
