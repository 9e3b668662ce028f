#!/bin/busybox sh
# Called by `echo` for each request.
busybox printf 'Content-Type: %s\r\n\r\n' "${CONTENT_TYPE:-text/plain}"
busybox head -c "${CONTENT_LENGTH:-0}"
