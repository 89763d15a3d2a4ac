-- A rollup: figures of a span of UTC days, made ahead from the event rows of all parts. Bots are left out. Format version 1 (see `rollup.rs`).
--
-- One row stands for one grain of time: a quarter of an hour, a UTC day, or the days of one UTC month that the span has. Whatever lasts
-- (a visit from its first to its last event; the visits of a visitor, who has one id a day; a visitor's or a visit's days with an event of
-- a page) counts as `_new` in the grain in which it begins, and as `_carried` in each later grain that it reaches. So what was there in
-- `[a, b)` is the sum of `_new` over the grains from a to b, and `_carried` of the grain that begins at a.
CREATE TABLE quarters (
    site_id              UINTEGER NOT NULL,
    start_ms             BIGINT   NOT NULL, -- start of the quarter of an hour, Unix milliseconds, UTC
    visitors_new         UINTEGER NOT NULL, -- visitors with a visit
    visitors_carried     UINTEGER NOT NULL,
    visits_new           UINTEGER NOT NULL,
    visits_carried       UINTEGER NOT NULL,
    bounces_new          UINTEGER NOT NULL, -- those of the visits with fewer than two interactive events
    bounces_carried      UINTEGER NOT NULL,
    duration_ms_new      UBIGINT  NOT NULL, -- milliseconds from the first to the last event of the visits
    duration_ms_carried  UBIGINT  NOT NULL,
    views_new            UINTEGER NOT NULL, -- pageviews of the whole visits
    views_carried        UINTEGER NOT NULL,
    pageviews            UINTEGER NOT NULL, -- pageviews inside the grain
    events               UINTEGER NOT NULL  -- events inside the grain but engagement pings
);
-- The same by one dimension and day. Bounces, durations and views of `pathname`, `hostname` and `name` are 0: they are figures of whole visits.
CREATE TABLE days (
    site_id              UINTEGER NOT NULL,
    dimension            VARCHAR  NOT NULL, -- a column of `events` or `visits`; `all` = everything, with the value ''
    value                VARCHAR  NOT NULL, -- '' = unknown or none
    start_ms             BIGINT   NOT NULL, -- midnight (UTC), Unix milliseconds
    visitors_new         UINTEGER NOT NULL,
    visitors_carried     UINTEGER NOT NULL,
    visits_new           UINTEGER NOT NULL,
    visits_carried       UINTEGER NOT NULL,
    bounces_new          UINTEGER NOT NULL,
    bounces_carried      UINTEGER NOT NULL,
    duration_ms_new      UBIGINT  NOT NULL,
    duration_ms_carried  UBIGINT  NOT NULL,
    views_new            UINTEGER NOT NULL,
    views_carried        UINTEGER NOT NULL,
    pageviews            UINTEGER NOT NULL,
    events               UINTEGER NOT NULL
);
-- The rows of `days` added up by UTC month. `start_ms` is the first of the month's days that the span has.
CREATE TABLE months AS FROM days LIMIT 0;
-- Which sites and dimensions have figures, and of which days: others had too few events for figures made ahead to pay.
CREATE TABLE covered (
    site_id              UINTEGER NOT NULL,
    dimension            VARCHAR  NOT NULL, -- as in `days`; `quarters` = the table of that name
    start_ms             BIGINT   NOT NULL, -- first midnight (UTC), Unix milliseconds
    end_ms               BIGINT   NOT NULL  -- midnight after the last day
);
CREATE TABLE meta (key VARCHAR NOT NULL, value VARCHAR NOT NULL);
