extension LedgerStore {
  /// Amounts, prices and quantities are counts of 10⁻⁸, times are nanoseconds since 1970.
  static let migrations = [
    Migration(
      1, "accounts, transactions, entries, positions",
      [
        """
        CREATE TABLE accounts (
          id BIGINT PRIMARY KEY,
          name TEXT NOT NULL UNIQUE,
          commodity TEXT NOT NULL,
          balance BIGINT NOT NULL
        )
        """,
        """
        CREATE TABLE transactions (
          id BIGINT PRIMARY KEY,
          kind TEXT NOT NULL,
          reference TEXT NOT NULL UNIQUE,
          time BIGINT NOT NULL
        )
        """,
        "CREATE INDEX transactions_by_time ON transactions (time)",
        """
        CREATE TABLE entries (
          transaction_id BIGINT NOT NULL REFERENCES transactions (id),
          number BIGINT NOT NULL,
          account_id BIGINT NOT NULL REFERENCES accounts (id),
          amount BIGINT NOT NULL CHECK (amount <> 0),
          PRIMARY KEY (transaction_id, number)
        )
        """,
        "CREATE INDEX entries_by_account ON entries (account_id)",
        """
        CREATE TABLE positions (
          strategy TEXT NOT NULL,
          venue TEXT NOT NULL,
          symbol TEXT NOT NULL,
          market_id TEXT NOT NULL,
          quantity BIGINT NOT NULL,
          cost BIGINT NOT NULL,
          PRIMARY KEY (strategy, venue, symbol)
        )
        """,
        "CREATE TABLE cursors (name TEXT PRIMARY KEY, value BIGINT NOT NULL)",
      ]),
    Migration(
      2, "pending markets and settlements",
      [
        """
        CREATE TABLE pending_markets (
          venue TEXT NOT NULL,
          id TEXT NOT NULL,
          has_metadata BIGINT NOT NULL,
          event_id TEXT NOT NULL,
          question TEXT NOT NULL,
          tick BIGINT NOT NULL,
          ends_at BIGINT,
          is_neg_risk BIGINT NOT NULL,
          is_augmented BIGINT NOT NULL,
          is_closed BIGINT NOT NULL,
          coin TEXT,
          opens_at BIGINT,
          closes_at BIGINT,
          attempts BIGINT NOT NULL,
          checked_at BIGINT,
          problem TEXT NOT NULL,
          PRIMARY KEY (venue, id)
        )
        """,
        """
        CREATE TABLE pending_outcomes (
          venue TEXT NOT NULL,
          market_id TEXT NOT NULL,
          outcome BIGINT NOT NULL,
          token TEXT NOT NULL,
          name TEXT NOT NULL,
          payout BIGINT,
          PRIMARY KEY (venue, market_id, outcome)
        )
        """,
        """
        CREATE TABLE settlements (
          sequence BIGINT PRIMARY KEY,
          venue TEXT NOT NULL,
          market_id TEXT NOT NULL,
          round BIGINT NOT NULL,
          question TEXT NOT NULL,
          method TEXT NOT NULL,
          payout_first BIGINT NOT NULL,
          payout_second BIGINT NOT NULL,
          received BIGINT NOT NULL,
          realised BIGINT NOT NULL,
          start_price BIGINT,
          end_price BIGINT,
          spread_ppm BIGINT,
          sources BIGINT NOT NULL,
          settled_at BIGINT NOT NULL,
          UNIQUE (venue, market_id, round)
        )
        """,
      ]),
  ]
}
