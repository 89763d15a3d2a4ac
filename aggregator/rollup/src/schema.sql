-- A part: one immutable DuckDB file. Format version 2; a change of any column needs a new version (see `part.rs`).
-- Sorted by (site_id, hour of event_ms, visitor_id, event_ms, seq, idx), so that a site's rows are neighbours.
CREATE TABLE events (
    seq               UBIGINT   NOT NULL,  -- position: stream sequence …
    idx               UINTEGER  NOT NULL,  -- … and index in the batch
    site_id           UINTEGER  NOT NULL,
    event_ms          BIGINT    NOT NULL,  -- Unix milliseconds, UTC
    received_ms       BIGINT    NOT NULL,
    event_id_high     UBIGINT,             -- random id; NULL for imports and once the row is older than a day
    event_id_low      UBIGINT,
    retry             BOOLEAN   NOT NULL,
    visitor_id        UBIGINT   NOT NULL,  -- the id that opened the visit: the one that is counted
    visit_id          UBIGINT   NOT NULL,
    name              VARCHAR   NOT NULL,
    hostname          VARCHAR   NOT NULL,
    pathname          VARCHAR   NOT NULL,
    props             VARCHAR,             -- JSON object of strings, keys sorted; NULL = none
    revenue_micros    BIGINT,
    revenue_currency  VARCHAR,
    engagement_ms     UINTEGER,
    scroll_depth      UTINYINT,
    interactive       BOOLEAN   NOT NULL,
    bot               UTINYINT  NOT NULL,  -- of the visit's opening event: 0 = no bot, 1 = declared, 2 = headless, 3 = by user agent
    origin            UTINYINT  NOT NULL,  -- 0 = edge, 1 = import
    -- Opening attributes of the visit. '' = unknown or none.
    source            VARCHAR   NOT NULL,  -- '' = direct
    referrer          VARCHAR   NOT NULL,  -- host and path, '' = none
    channel           VARCHAR   NOT NULL,
    utm_source        VARCHAR   NOT NULL,
    utm_medium        VARCHAR   NOT NULL,
    utm_campaign      VARCHAR   NOT NULL,
    utm_content       VARCHAR   NOT NULL,
    utm_term          VARCHAR   NOT NULL,
    country           VARCHAR   NOT NULL,
    region            VARCHAR   NOT NULL,
    city              VARCHAR   NOT NULL,
    device            VARCHAR   NOT NULL,
    browser           VARCHAR   NOT NULL,
    browser_version   VARCHAR   NOT NULL,
    os                VARCHAR   NOT NULL,
    os_version        VARCHAR   NOT NULL
);

-- Visit fragments: for each visit the associative aggregates of this part's event rows. A visit's figures are the merge of its fragments.
-- "Events" are all but engagement pings; a fragment of pings alone has NULL times.
CREATE TABLE visits (
    site_id             UINTEGER  NOT NULL,
    visit_id            UBIGINT   NOT NULL,
    visitor_id          UBIGINT   NOT NULL,
    bot                 UTINYINT  NOT NULL,
    first_ms            BIGINT,             -- min, max of event_ms over events
    last_ms             BIGINT,
    pageviews           UBIGINT   NOT NULL, -- sums
    events              UBIGINT   NOT NULL,
    interactive_events  UBIGINT   NOT NULL,
    engagement_ms       UBIGINT   NOT NULL,
    entry_ms            BIGINT,             -- the first pageview by (event_ms, seq, idx); NULL = no pageview in this part
    entry_seq           UBIGINT,
    entry_idx           UINTEGER,
    entry_hostname      VARCHAR,
    entry_page          VARCHAR,
    exit_ms             BIGINT,             -- the last pageview by (event_ms, seq, idx)
    exit_seq            UBIGINT,
    exit_idx            UINTEGER,
    exit_hostname       VARCHAR,
    exit_page           VARCHAR,
    source              VARCHAR   NOT NULL,
    referrer            VARCHAR   NOT NULL,
    channel             VARCHAR   NOT NULL,
    utm_source          VARCHAR   NOT NULL,
    utm_medium          VARCHAR   NOT NULL,
    utm_campaign        VARCHAR   NOT NULL,
    utm_content         VARCHAR   NOT NULL,
    utm_term            VARCHAR   NOT NULL,
    country             VARCHAR   NOT NULL,
    region              VARCHAR   NOT NULL,
    city                VARCHAR   NOT NULL,
    device              VARCHAR   NOT NULL,
    browser             VARCHAR   NOT NULL,
    browser_version     VARCHAR   NOT NULL,
    os                  VARCHAR   NOT NULL,
    os_version          VARCHAR   NOT NULL
);

-- Control records in stream order; `record` is the protobuf message `Control`.
CREATE TABLE controls (
    seq     UBIGINT  NOT NULL,
    idx     UINTEGER NOT NULL,
    record  BLOB     NOT NULL
);

-- What became of the events, by site, UTC hour of receipt and kind; sorted by these. In a merged part the hours need not be those of its
-- events. New in format 2.
CREATE TABLE ledger (
    seq      UBIGINT   NOT NULL,  -- highest stream sequence that is counted here
    site_id  UINTEGER  NOT NULL,  -- 0 = not known
    hour_ms  BIGINT    NOT NULL,  -- start of the hour, Unix milliseconds
    kind     VARCHAR   NOT NULL,  -- 'accepted', among them 'bots', 'late' and 'erased' (no row any more), 'deduplicated', 'rejected:<reason>'
    count    UBIGINT   NOT NULL
);

-- What the part says of itself: one row a key, values as text (see `part.rs` for the keys).
CREATE TABLE meta (
    key    VARCHAR PRIMARY KEY,
    value  VARCHAR NOT NULL
);
