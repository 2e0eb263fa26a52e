extension HistoryStore {
  /// Prices and quantities are counts of 10⁻⁸, times are nanoseconds since 1970, timeframes are seconds.
  ///
  /// A volume is decimal text: it is wider than any integer column.
  static let migrations = [
    Migration(
      1, "candles, markets, trades, watermarks, breakers",
      [
        """
        CREATE TABLE ohlcv (
          exchange TEXT NOT NULL,
          symbol TEXT NOT NULL,
          timeframe BIGINT NOT NULL,
          time BIGINT NOT NULL,
          open BIGINT NOT NULL,
          high BIGINT NOT NULL,
          low BIGINT NOT NULL,
          close BIGINT NOT NULL,
          volume TEXT NOT NULL,
          is_closed BIGINT NOT NULL,
          is_stale BIGINT NOT NULL,
          source TEXT NOT NULL,
          PRIMARY KEY (exchange, symbol, timeframe, time)
        )
        """,
        "CREATE INDEX ohlcv_by_time ON ohlcv (time)",
        """
        CREATE TABLE events (
          venue TEXT NOT NULL,
          id TEXT NOT NULL,
          markets BIGINT NOT NULL,
          is_neg_risk BIGINT NOT NULL,
          is_augmented BIGINT NOT NULL,
          is_closed BIGINT NOT NULL,
          ends_at BIGINT,
          updated_at BIGINT NOT NULL,
          PRIMARY KEY (venue, id)
        )
        """,
        """
        CREATE TABLE markets (
          venue TEXT NOT NULL,
          id TEXT NOT NULL,
          event_id TEXT NOT NULL,
          question TEXT NOT NULL,
          tick BIGINT NOT NULL,
          minimum_quantity BIGINT NOT NULL,
          fee_rate BIGINT NOT NULL,
          fee_exponent BIGINT NOT NULL,
          fee_taker_only BIGINT NOT NULL,
          ends_at BIGINT,
          is_neg_risk BIGINT NOT NULL,
          is_augmented BIGINT NOT NULL,
          is_placeholder BIGINT NOT NULL,
          is_accepting_orders BIGINT NOT NULL,
          is_closed BIGINT NOT NULL,
          winner BIGINT,
          coin TEXT,
          opens_at BIGINT,
          closes_at BIGINT,
          updated_at BIGINT NOT NULL,
          PRIMARY KEY (venue, id)
        )
        """,
        "CREATE INDEX markets_by_event ON markets (venue, event_id)",
        """
        CREATE TABLE tokens (
          venue TEXT NOT NULL,
          token TEXT NOT NULL,
          market_id TEXT NOT NULL,
          outcome BIGINT NOT NULL,
          name TEXT NOT NULL,
          payout BIGINT,
          PRIMARY KEY (venue, token)
        )
        """,
        "CREATE INDEX tokens_by_market ON tokens (venue, market_id)",
        """
        CREATE TABLE trades (
          venue TEXT NOT NULL,
          symbol TEXT NOT NULL,
          time BIGINT NOT NULL,
          price BIGINT NOT NULL,
          quantity BIGINT NOT NULL,
          side BIGINT NOT NULL,
          number BIGINT NOT NULL,
          PRIMARY KEY (venue, symbol, time, price, quantity, side, number)
        )
        """,
        """
        CREATE TABLE watermarks (
          venue TEXT NOT NULL,
          subject TEXT NOT NULL,
          time BIGINT NOT NULL,
          PRIMARY KEY (venue, subject)
        )
        """,
        """
        CREATE TABLE breakers (
          name TEXT PRIMARY KEY,
          failures BIGINT NOT NULL,
          openings BIGINT NOT NULL,
          open_until BIGINT NOT NULL
        )
        """,
      ]),
    Migration(
      2, "how markets are decided",
      [
        // The names of the outcomes are separated by U+001F; the digest is 16 hexadecimal digits.
        """
        CREATE TABLE market_terms (
          venue TEXT NOT NULL,
          id TEXT NOT NULL,
          event_id TEXT NOT NULL,
          title TEXT NOT NULL,
          subtitle TEXT NOT NULL,
          strike TEXT NOT NULL,
          rules TEXT NOT NULL,
          source TEXT NOT NULL,
          closes_at BIGINT,
          outcomes TEXT NOT NULL,
          digest TEXT NOT NULL,
          updated_at BIGINT NOT NULL,
          PRIMARY KEY (venue, id)
        )
        """
      ]),
  ]
}
