-- An aggregate without windows: it is updated for ever.
CREATE MATERIALIZED VIEW clicks_by_device AS
SELECT device ->> 'os' AS os, COUNT(*) AS clicks, COUNT(DISTINCT user_id) AS users
FROM clicks
GROUP BY device ->> 'os';
