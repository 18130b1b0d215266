# What a program with psycopg 3 does: run by TestPsycopg with the server's URL.
import sys
from datetime import datetime, timezone
from decimal import Decimal

import psycopg
from psycopg import errors
from psycopg.rows import dict_row

url = sys.argv[1]

with psycopg.connect(url) as conn:
    assert conn.info.server_version == 150000, conn.info.server_version
    row = conn.execute("SELECT id, name, price, at, tags FROM t WHERE id = %s", (2,)).fetchone()
    assert row == (2, "n2", Decimal("0.50"), datetime(2024, 1, 1, 0, 2, tzinfo=timezone.utc), ["a", "b2"]), row
    # Prepared after some executions, and forced to be; text and binary.
    for i in range(8):
        assert conn.execute("SELECT name FROM t WHERE id = %s", (i + 1,), prepare=i > 5).fetchone() == (f"n{i + 1}",)
    for binary in (False, True):
        cur = conn.cursor(binary=binary)
        cur.execute("SELECT 1::int2, 2::int8, 1.5::float4, 0.1::float8, true, 'x'::text, NULL::int, 12345.678::numeric, '{\"a\": [1]}'::jsonb, DATE '2024-02-29', '\\x00ff'::bytea, ARRAY[1, NULL]")
        got = cur.fetchone()
        assert got[:8] == (1, 2, 1.5, 0.1, True, "x", None, Decimal("12345.678")), (binary, got)
        assert got[8] == {"a": [1]} and str(got[9]) == "2024-02-29" and bytes(got[10]) == b"\x00\xff" and got[11] == [1, None], (binary, got)
        # Parameters of all sorts, in both formats.
        fmt = "%b" if binary else "%t"
        cur.execute(f"SELECT {fmt}::int + 1, {fmt}::text || '!', {fmt}::numeric * 2, {fmt}::timestamptz, {fmt}::bool",
                    (41, "hé", Decimal("1.25"), datetime(2024, 1, 1, tzinfo=timezone.utc), True))
        assert cur.fetchone() == (42, "hé!", Decimal("2.50"), datetime(2024, 1, 1, tzinfo=timezone.utc), True)

with psycopg.connect(url, row_factory=dict_row) as conn:
    try:
        with conn.transaction():
            conn.execute("INSERT INTO t (id, name) VALUES (%s, %s)", (1, "again"))
        raise AssertionError("a duplicate key was taken")
    except errors.UniqueViolation as e:
        assert e.diag.message_detail == "Key (id)=(1) already exists.", e.diag.message_detail
    with conn.transaction():
        conn.execute("INSERT INTO t (id, name) VALUES (9001, 'kept')")
        try:
            with conn.transaction():  # a savepoint
                conn.execute("DELETE FROM t WHERE id = 9001")
                raise psycopg.Rollback()
        except psycopg.Rollback:
            pass
    assert conn.execute("SELECT name FROM t WHERE id = 9001").fetchone() == {"name": "kept"}
    with conn.cursor() as cur:
        cur.executemany("INSERT INTO t (id, name) VALUES (%s, %s)", [(9100 + i, f"m{i}") for i in range(50)])
    with conn.pipeline():
        a = conn.execute("SELECT count(*) AS n FROM t WHERE id >= 9100")
        b = conn.execute("SELECT max(id) AS m FROM t")
        assert a.fetchone() == {"n": 50} and b.fetchone() == {"m": 9149}

with psycopg.connect(url) as conn:
    with conn.cursor().copy("COPY t (id, name, price) FROM STDIN") as copy:
        for i in range(100):
            copy.write_row((9200 + i, f"tab\t{i}", Decimal(i) / 4))
    with conn.cursor().copy("COPY (SELECT id, name, price FROM t WHERE id = 9203) TO STDOUT") as copy:
        assert list(copy.rows()) == [("9203", "tab\t3", "0.75")]
    # A server-side cursor reads in steps.
    with conn.cursor(name="steps") as cur:
        cur.itersize = 300
        cur.execute("SELECT id FROM t WHERE id <= 1000 ORDER BY id")
        assert [r[0] for r in cur] == list(range(1, 1001))
    conn.commit()
    try:
        conn.execute("SELECT * FROM nope")
        raise AssertionError("a table that does not exist was read")
    except errors.UndefinedTable as e:
        assert e.diag.statement_position == "15", e.diag.statement_position
    conn.rollback()
    # SUBSCRIBE, followed as it goes.
    other = psycopg.connect(url, autocommit=True)
    with conn.cursor().copy("COPY (SUBSCRIBE TO t WITH (snapshot = false)) TO STDOUT") as copy:
        other.execute("UPDATE t SET name = 'changed' WHERE id = 5")
        rows = copy.rows()
        first, second = next(rows), next(rows)
        assert (first[1], second[1], second[3]) == ("update_before", "update_after", "changed"), (first, second)
        conn.cancel()
        try:
            for _ in rows:
                pass
            raise AssertionError("the subscription was not cancelled")
        except errors.QueryCanceled:
            pass
    other.close()
