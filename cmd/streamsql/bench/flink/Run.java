import java.lang.management.ManagementFactory;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.TableDescriptor;
import org.apache.flink.table.api.TableResult;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

/**
 * Runs one query on Flink SQL, in a local cluster in this JVM, and prints its figures as a line of JSON.
 * First the same query runs over a small set: once with its changelog folded, which says whether its
 * result is right, then WARMUPS times as it is measured, so that the JIT compiler is done.
 *
 * <p>Arguments are name=value:
 *
 * <pre>
 *   dir         where checkpoints and scratch files go
 *   table       CREATE TABLE of what the query reads
 *   warmTable   the same over the small set; without it there is no warm-up
 *   query       the SELECT
 *   checkpoint  the interval of checkpoints, "1 s"
 *   sink        blackhole | kafka | kafka-eos
 *   brokers, out, warmOut, linger   of a Kafka sink: bootstrap servers, topics, linger.ms
 * </pre>
 */
public final class Run {
  private static final int PARALLELISM = Runtime.getRuntime().availableProcessors();
  private static final int WARMUPS = 2;

  private final Map<String, String> args = new HashMap<>();

  public static void main(String[] arguments) throws Exception {
    Run run = new Run();
    for (String s : arguments) {
      int eq = s.indexOf('=');
      run.args.put(s.substring(0, eq), s.substring(eq + 1));
    }
    Totals totals = new Totals();
    String warm = run.args.get("warmTable");
    if (warm != null) {
      totals = run.verify(warm);
      for (int i = 0; i < WARMUPS; i++) run.measure(warm, run.args.get("warmOut"));
    }
    Figures f = run.measure(run.args.get("table"), run.args.get("out"));
    System.out.printf(Locale.ROOT,
        "{\"seconds\":%.3f,\"cpuSeconds\":%.3f,\"peakBytes\":%d,\"rows\":%d,\"orders\":%d,\"cents\":%d}%n",
        f.seconds, f.cpuSeconds, peakBytes(), totals.rows, totals.orders, totals.cents);
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }

  private StreamTableEnvironment environment(String table) throws Exception {
    Path dir = Path.of(args.get("dir"));
    Files.createDirectories(dir.resolve("tmp"));
    Configuration conf = new Configuration();
    conf.setString("execution.checkpointing.interval", args.get("checkpoint"));
    conf.setString("execution.checkpointing.mode", "EXACTLY_ONCE");
    conf.setString("execution.checkpointing.storage", "filesystem");
    conf.setString("execution.checkpointing.dir", dir.resolve("checkpoints").toUri().toString());
    conf.setString("io.tmp.dirs", dir.resolve("tmp").toString());
    conf.setString("state.backend.type", "hashmap");
    conf.setString("pipeline.object-reuse", "true");
    conf.setString("restart-strategy.type", "none");
    conf.setString("taskmanager.memory.managed.size", "2g");
    conf.setString("taskmanager.memory.network.min", "256m");
    conf.setString("taskmanager.memory.network.max", "256m");
    conf.setString("table.exec.mini-batch.enabled", "true");
    conf.setString("table.exec.mini-batch.allow-latency", "2 s");
    conf.setString("table.exec.mini-batch.size", "50000");
    StreamTableEnvironment t =
        StreamTableEnvironment.create(StreamExecutionEnvironment.createLocalEnvironment(PARALLELISM, conf));
    t.executeSql(table);
    return t;
  }

  private record Figures(double seconds, double cpuSeconds) {}

  /** Runs the query into the sink; start-up and planning are left out of the time. */
  private Figures measure(String table, String out) throws Exception {
    StreamTableEnvironment t = environment(table);
    long cpu = cpuNanos();
    TableResult result = t.sqlQuery(args.get("query")).insertInto(sink(out)).execute();
    long millis = result.getJobClient().orElseThrow().getJobExecutionResult().get().getNetRuntime();
    return new Figures(millis / 1e3, (cpuNanos() - cpu) / 1e9);
  }

  private TableDescriptor sink(String out) {
    String kind = args.get("sink");
    if (kind.equals("blackhole")) return TableDescriptor.forConnector(kind).build();
    TableDescriptor.Builder kafka = TableDescriptor.forConnector("kafka").option("topic", out)
        .option("properties.bootstrap.servers", args.get("brokers")).option("format", "json")
        .option("json.encode.decimal-as-plain-number", "true") // else 460 is 4.6E+2
        .option("properties.compression.type", "lz4").option("properties.batch.size", "262144")
        .option("properties.linger.ms", args.get("linger"));
    if (kind.equals("kafka-eos")) {
      kafka.option("sink.delivery-guarantee", "exactly-once").option("properties.transaction.timeout.ms", "600000")
          .option("sink.transactional-id-prefix", "bench-" + System.nanoTime());
    } else {
      kafka.option("sink.delivery-guarantee", "at-least-once");
    }
    return kafka.build();
  }

  /** What a result of many groups adds up to. */
  private static final class Totals {
    long rows, orders, cents;
  }

  /** Folds the changelog of a query with the columns orders and total; of others it counts the rows. */
  private Totals verify(String table) throws Exception {
    Totals totals = new Totals();
    TableResult result = environment(table).sqlQuery(args.get("query")).execute();
    boolean sums = result.getResolvedSchema().getColumnNames().contains("total");
    try (CloseableIterator<Row> it = result.collect()) {
      while (it.hasNext()) {
        Row row = it.next();
        long sign = switch (row.getKind()) { case INSERT, UPDATE_AFTER -> 1; default -> -1; };
        totals.rows += sign;
        if (sums) {
          totals.orders += sign * ((Number) row.getField("orders")).longValue();
          totals.cents += sign * ((BigDecimal) row.getField("total")).movePointRight(2).longValueExact();
        }
      }
    }
    return totals;
  }

  private static long cpuNanos() {
    return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
  }

  /** The most memory that this process had resident at a time; 0 where /proc does not say. */
  private static long peakBytes() throws Exception {
    Path status = Path.of("/proc/self/status");
    if (!Files.exists(status)) return 0;
    for (String line : Files.readAllLines(status)) {
      if (line.startsWith("VmHWM")) return Long.parseLong(line.replaceAll("\\D", "")) << 10;
    }
    return 0;
  }
}
