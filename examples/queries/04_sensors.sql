-- Sliding windows: the last five minutes of each sensor, every minute. Fields of nested JSON are
-- fields of rows.
CREATE MATERIALIZED VIEW sensor_trends AS
SELECT window_start, window_end, sensor_id,
       COUNT(*) AS readings,
       AVG((reading).temperature) AS avg_temperature,
       MAX((reading).temperature) AS max_temperature,
       STDDEV((reading).temperature) AS spread
FROM HOP(sensors, event_time, INTERVAL '1 minute', INTERVAL '5 minutes')
GROUP BY window_start, window_end, sensor_id;

-- A view over a view: it is corrected whenever its input is.
CREATE MATERIALIZED VIEW hottest_window AS
SELECT sensor_id, MAX(max_temperature) AS record
FROM sensor_trends
GROUP BY sensor_id;
