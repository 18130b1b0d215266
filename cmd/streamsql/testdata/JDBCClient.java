import java.math.BigDecimal;
import java.sql.*;
import java.util.*;

/** What a program with pgjdbc does: run by TestJDBC with the server's URL. */
public class JDBCClient {
  static void check(boolean ok, Object what) {
    if (!ok) throw new AssertionError(String.valueOf(what));
  }

  public static void main(String[] args) throws Exception {
    try (Connection c = DriverManager.getConnection(args[0] + "&prepareThreshold=2")) {
      check(c.getMetaData().getDatabaseMajorVersion() == 15, c.getMetaData().getDatabaseProductVersion());
      // Text at first; from the second execution on a named statement, with binary results.
      try (PreparedStatement s = c.prepareStatement("SELECT id, name, price, at, tags FROM t WHERE id = ?")) {
        for (int i = 1; i <= 6; i++) {
          s.setInt(1, i);
          try (ResultSet r = s.executeQuery()) {
            check(r.next(), i);
            check(r.getInt(1) == i && r.getString(2).equals("n" + i), r.getString(2));
            check(r.getBigDecimal(3).compareTo(BigDecimal.valueOf(i).divide(new BigDecimal(4))) == 0, r.getBigDecimal(3));
            check(r.getTimestamp(4).toInstant().toString().equals("2024-01-01T00:0" + i + ":00Z"), r.getTimestamp(4));
            check(Arrays.toString((Object[]) r.getArray(5).getArray()).equals("[a, b" + i + "]"), r.getArray(5));
            check(!r.next(), "one row");
          }
        }
      }
      ResultSetMetaData m = c.prepareStatement("SELECT id, price FROM t").getMetaData();
      check(m.getColumnCount() == 2 && m.getColumnTypeName(2).equals("numeric") && m.getPrecision(2) == 10 && m.getScale(2) == 2, m.getColumnTypeName(2));
      // Batches in a transaction; fetch size makes portals with row limits.
      c.setAutoCommit(false);
      try (PreparedStatement s = c.prepareStatement("INSERT INTO t (id, name, price) VALUES (?, ?, ?)")) {
        for (int i = 0; i < 500; i++) {
          s.setInt(1, 10000 + i);
          s.setString(2, i % 2 == 0 ? null : "j" + i);
          s.setBigDecimal(3, new BigDecimal("1.25"));
          s.addBatch();
        }
        for (int n : s.executeBatch()) check(n == 1, n);
      }
      try (Statement s = c.createStatement()) {
        s.setFetchSize(50);
        int n = 0;
        try (ResultSet r = s.executeQuery("SELECT id FROM t WHERE id >= 10000 ORDER BY id")) {
          while (r.next()) check(r.getInt(1) == 10000 + n++, n);
        }
        check(n == 500, n);
      }
      Savepoint sp = c.setSavepoint();
      try (Statement s = c.createStatement()) {
        s.executeUpdate("INSERT INTO t (id) VALUES (1)");
        throw new AssertionError("a duplicate key was taken");
      } catch (SQLException e) {
        check(e.getSQLState().equals("23505"), e.getSQLState());
      }
      c.rollback(sp);
      c.commit();
      c.setAutoCommit(true);
      try (PreparedStatement s = c.prepareStatement("INSERT INTO t (id, name) VALUES (?, ?)", Statement.RETURN_GENERATED_KEYS)) {
        s.setInt(1, 20000);
        s.setString(2, "keys");
        check(s.executeUpdate() == 1, "one row");
        ResultSet k = s.getGeneratedKeys();
        check(k.next() && k.getInt("id") == 20000, "generated keys");
      }
      // Cancel, and a statement timeout.
      try (Statement s = c.createStatement()) {
        new Thread(() -> {
          try {
            Thread.sleep(300);
            s.cancel();
          } catch (Exception e) {
            throw new RuntimeException(e);
          }
        }).start();
        s.execute("SELECT pg_sleep(30)");
        throw new AssertionError("not cancelled");
      } catch (SQLException e) {
        check("57014".equals(e.getSQLState()), e);
      }
      org.postgresql.PGConnection pg = c.unwrap(org.postgresql.PGConnection.class);
      long copied = pg.getCopyAPI().copyIn("COPY t (id, name) FROM STDIN WITH (FORMAT csv)", new java.io.StringReader("30000,a\n30001,\"b,c\"\n"));
      check(copied == 2, copied);
      java.io.StringWriter w = new java.io.StringWriter();
      pg.getCopyAPI().copyOut("COPY (SELECT id, name FROM t WHERE id >= 30000 ORDER BY id) TO STDOUT", w);
      check(w.toString().equals("30000\ta\n30001\tb,c\n"), w);
    }
  }
}
