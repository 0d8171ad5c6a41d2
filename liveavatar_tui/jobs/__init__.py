"""Engine processes, started, watched and ended from outside. Knows no screen; every fact lies in a job's folder."""
