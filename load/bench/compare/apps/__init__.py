"""The workers of other libraries, each as its documentation has it; they run as their commands.

Each reads `BENCH_BROKER_URL` and `BENCH_DATABASE_URL`. Nothing else imports them: the libraries are
of the extra `bench`.
"""
