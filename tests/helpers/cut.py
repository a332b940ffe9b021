#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cut.py DIR - the power fails: ext4 at DIR forgets all that is not on the disk (EXT4_IOC_SHUTDOWN)"""
import fcntl
import os
import struct
import sys

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2

directory = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
fcntl.ioctl(directory, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
