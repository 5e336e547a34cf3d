-- Which appservice's own users have an inbox: rooms follow them from their first /sync on.

ALTER TABLE accounts ADD COLUMN has_inbox INTEGER NOT NULL DEFAULT 0;  -- 1: has synced; never taken back
