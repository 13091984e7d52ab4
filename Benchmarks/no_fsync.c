// Preloaded by durability.sh: the disk is never waited for. What durability costs is the difference.
int fsync(int file) { (void)file; return 0; }
int fdatasync(int file) { (void)file; return 0; }
int sync_file_range(int file, long offset, long count, unsigned flags) {
    (void)file; (void)offset; (void)count; (void)flags;
    return 0;
}
