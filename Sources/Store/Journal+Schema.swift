extension Journal {
  /// Prices, quantities and money are counts of 10⁻⁸, times are nanoseconds since 1970, side 0 is buy.
  static let migrations = [
    Migration(
      1, "orders and fills",
      [
        """
        CREATE TABLE orders (
          id TEXT PRIMARY KEY,
          opportunity_id BIGINT NOT NULL,
          strategy TEXT NOT NULL,
          venue TEXT NOT NULL,
          symbol TEXT NOT NULL,
          market_id TEXT NOT NULL,
          side BIGINT NOT NULL CHECK (side IN (0, 1)),
          price_limit BIGINT NOT NULL,
          quantity BIGINT NOT NULL CHECK (quantity > 0),
          time_in_force TEXT NOT NULL,
          is_unwind BIGINT NOT NULL,
          created_at BIGINT NOT NULL,
          state TEXT NOT NULL,
          filled BIGINT NOT NULL CHECK (filled >= 0),
          updated_at BIGINT NOT NULL,
          reason TEXT NOT NULL
        )
        """,
        "CREATE INDEX orders_by_time ON orders (created_at)",
        "CREATE INDEX orders_open ON orders (created_at) WHERE state IN ('journalled', 'sent', 'unknown')",
        """
        CREATE TABLE fills (
          sequence BIGINT PRIMARY KEY,
          order_id TEXT NOT NULL REFERENCES orders (id),
          part BIGINT NOT NULL,
          strategy TEXT NOT NULL,
          venue TEXT NOT NULL,
          symbol TEXT NOT NULL,
          market_id TEXT NOT NULL,
          side BIGINT NOT NULL CHECK (side IN (0, 1)),
          price BIGINT NOT NULL CHECK (price >= 0),
          quantity BIGINT NOT NULL CHECK (quantity > 0),
          fee BIGINT NOT NULL,
          time BIGINT NOT NULL,
          UNIQUE (order_id, part)
        )
        """,
      ]),
    Migration(
      2, "stuck positions and flags",
      [
        """
        CREATE TABLE stuck_positions (
          id BIGINT PRIMARY KEY,
          order_id TEXT NOT NULL,
          strategy TEXT NOT NULL,
          venue TEXT NOT NULL,
          symbol TEXT NOT NULL,
          market_id TEXT NOT NULL,
          quantity BIGINT NOT NULL,
          cost BIGINT NOT NULL,
          reason TEXT NOT NULL,
          created_at BIGINT NOT NULL,
          resolved_at BIGINT
        )
        """,
        """
        CREATE TABLE flags (
          name TEXT PRIMARY KEY,
          is_set BIGINT NOT NULL,
          reason TEXT NOT NULL,
          changed_at BIGINT NOT NULL
        )
        """,
      ]),
  ]
}
