"""Make a shop to practise on: two years of orders with test orders and duplicates among them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb

from .errors import AnalysisError, one_sentence
from .loading import new_database
from .stopping import stoppable

_CHUNK = 1_000_000  # orders made at once
_MOST = 1_000_000_000

Progress = Callable[[int, int], None]


def make_shop(
    path: Path, *, orders: int = 100_000, seed: int = 7, progress: Progress | None = None
) -> None:
    """Write a new shop database; the same orders and seed give the same rows.

    Tables: customers, products, orders, order_items, refunds. About one customer in 200 is a test
    customer (mail at example.test, note TEST, and so are its orders); about one order in 120 is
    the one before it again: same customer, same items, within two minutes.

    Args:
        orders: How many orders, duplicates and test orders included; there is one customer for
            ten of them.
        progress: Called with the orders made so far and all orders, the last time at the end.

    Raises:
        Stopped: Somebody pressed Ctrl-C.
        AnalysisError: The file exists, or cannot be written. No half-made shop is left behind.
    """
    if not 1 <= orders <= _MOST:
        raise AnalysisError(f"A shop has from 1 to {_MOST:,} orders, not {orders:,}.")
    try:
        with new_database(path) as con:
            stoppable(partial(_fill, con, orders, seed, progress or _silent), [con])
    except duckdb.Error as error:
        raise AnalysisError(f"{path.name} could not be made: {one_sentence(error)}") from error


def _silent(_done: int, _all: int) -> None:
    """Nobody watches."""


def _fill(con: duckdb.DuckDBPyConnection, orders: int, seed: int, progress: Progress) -> None:
    con.execute(_CHANCE.format(seed=int(seed)))
    con.execute(_CALENDAR.format(orders=orders))
    con.execute(_CUSTOMERS.format(customers=max(orders // 10, 20), orders=orders))
    con.execute(_PRODUCTS)
    con.execute(_TABLES)
    progress(0, orders)
    for start in range(0, orders, _CHUNK):
        stop = min(start + _CHUNK, orders)
        con.execute(_ORDERS.format(start=start, stop=stop, orders=orders))
        con.execute(_ITEMS.format(start=start, stop=stop))
        con.execute(_REFUNDS.format(start=start, stop=stop))
        progress(stop, orders)
    con.execute("DROP TABLE calendar; DROP MACRO chance; CHECKPOINT")


# A number from 0 up to 1 that depends on nothing but the seed, the row and what it is for:
# threads and chunks may then come in any order. Hashed twice, because one hash of two purposes
# differs by a constant, and then those who buy often would also buy much.
_CHANCE = """
CREATE MACRO chance(i, what) AS
    (hash(hash({seed}::BIGINT, i::BIGINT, what)) >> 11)::DOUBLE / 9007199254740992.0
"""

# Orders per day: the shop grows, December is strong, summer weak, and Sunday evenings busy.
_CALENDAR = """
CREATE TABLE calendar AS
WITH days AS (
    SELECT DATE '2024-01-01' + d::INTEGER AS day,
        (1 + d / 900.0)
        * CASE month(DATE '2024-01-01' + d::INTEGER)
            WHEN 1 THEN 0.80 WHEN 2 THEN 0.85 WHEN 6 THEN 0.90 WHEN 7 THEN 0.80 WHEN 8 THEN 0.85
            WHEN 10 THEN 1.05 WHEN 11 THEN 1.50 WHEN 12 THEN 1.80 ELSE 1.0 END
        * CASE isodow(DATE '2024-01-01' + d::INTEGER) WHEN 7 THEN 1.25 WHEN 6 THEN 1.1 ELSE 1 END
        * (0.9 + 0.2 * chance(d, 'weather')) AS weight
    FROM range(731) days(d)
), shares AS (
    SELECT day, sum(weight) OVER (ORDER BY day) / sum(weight) OVER () AS share,
        weight / sum(weight) OVER () AS own
    FROM days
)
SELECT day, floor((share - own) * {orders})::BIGINT AS opens FROM shares
"""

_CUSTOMERS = """
CREATE TABLE customers AS
WITH people AS (
    SELECT i + 1 AS id, chance(i, 'test') < 0.005 OR i = 7 AS test,
        ['Anna','Ben','Clara','David','Elif','Felix','Grace','Hugo','Ines','Jonas','Kira','Liam',
         'Mia','Noah','Olga','Paul','Rosa','Samir','Tara','Yusuf'][1 + (chance(i, 'first') * 20)::INTEGER % 20] AS first,
        ['Adler','Brandt','Costa','Diaz','Engel','Fischer','Garcia','Hansen','Ito','Jansen',
         'Kowalski','Larsen','Moreau','Novak','Okafor','Petrov','Rossi','Silva','Tanaka','Weber'][1 + (chance(i, 'last') * 20)::INTEGER % 20] AS last,
        [['DE','Berlin'],['DE','Hamburg'],['DE','Munich'],['FR','Paris'],['FR','Lyon'],['NL','Utrecht'],
         ['ES','Madrid'],['IT','Milan'],['PL','Krakow'],['AT','Vienna']][1 + (pow(chance(i, 'place'), 1.4) * 10)::INTEGER % 10] AS place,
        CASE WHEN i < 0.3 * {customers} THEN 0
             ELSE ((i::DOUBLE / {customers} - 0.3) / 0.7 * {orders})::BIGINT END AS since
    FROM range({customers}) people(i)
)
SELECT id, first || ' ' || last AS name,
    lower(first) || '.' || lower(last) || id || CASE WHEN test THEN '@example.test' ELSE '@mail.example' END AS email,
    place[1] AS country, place[2] AS city,
    CASE WHEN since = 0 THEN day - (1 + chance(id, 'joined') * 700)::INTEGER ELSE day - 1 END AS joined,
    CASE WHEN test THEN 'TEST' END AS note
FROM people ASOF JOIN calendar ON people.since >= calendar.opens
ORDER BY id
"""

_PRODUCTS = """
CREATE TABLE products AS
WITH kinds AS (
    SELECT unnest([
        {'category': 'Kitchen', 'things': ['Kettle','Mug','Pan','Knife','Scale','Bowl'], 'price': 24},
        {'category': 'Office', 'things': ['Lamp','Chair','Notebook','Pen','Shelf','Desk Mat'], 'price': 38},
        {'category': 'Garden', 'things': ['Spade','Planter','Hose','Gloves','Lantern','Bench'], 'price': 45},
        {'category': 'Travel', 'things': ['Backpack','Bottle','Pillow','Case','Umbrella','Pouch'], 'price': 52}
    ], recursive := true)
), named AS (
    SELECT category, price, unnest(things) AS thing FROM kinds
), styled AS (
    SELECT *, unnest(['Classic','Compact','Deluxe','Everyday','Folding','Light','Nordic','Pocket','Studio','Urban']) AS style
    FROM named
)
SELECT row_number() OVER (ORDER BY category, thing, style) AS id, style || ' ' || thing AS name, category,
    (floor(price * (0.3 + 2.2 * pow(chance(hash(style, thing) % 1000000007, 'price'), 2))) + 0.9)::DECIMAL(8, 2) AS price
FROM styled ORDER BY id
"""

_TABLES = """
CREATE TABLE orders (id BIGINT NOT NULL, customer_id BIGINT NOT NULL, ordered_at TIMESTAMP NOT NULL,
    status VARCHAR NOT NULL, channel VARCHAR NOT NULL, note VARCHAR);
CREATE TABLE order_items (order_id BIGINT NOT NULL, line INTEGER NOT NULL, product_id BIGINT NOT NULL,
    quantity INTEGER NOT NULL, unit_price DECIMAL(8, 2) NOT NULL);
CREATE TABLE refunds (id BIGINT NOT NULL, order_id BIGINT NOT NULL, amount DECIMAL(12, 2) NOT NULL,
    reason VARCHAR NOT NULL, refunded_at TIMESTAMP NOT NULL)
"""

# `source` is the order itself, or the one before it where this one is its duplicate.
_SOURCE = """
    SELECT i, CASE WHEN i > 0 AND (chance(i, 'again') < 0.0085 OR i = 12)
            AND NOT (i > 1 AND (chance(i - 1, 'again') < 0.0085 OR i - 1 = 12))
        THEN i - 1 ELSE i END AS source
    FROM range({start}, {stop}) numbers(i)
"""

_ORDERS = (
    "INSERT INTO orders WITH numbered AS ("
    + _SOURCE
    + """), placed AS (
    SELECT i, source, day
        + INTERVAL 1 SECOND * (86400 * (0.25 + 0.72 * (chance(source, 'hour') + chance(source, 'late')) / 2))::BIGINT
        + INTERVAL 1 SECOND * CASE WHEN i = source THEN 0 ELSE (5 + chance(i, 'pause') * 105)::BIGINT END AS moment,
        1 + floor(pow(chance(source, 'who'), 1.3)
            * (SELECT count(*) FROM customers) * (0.3 + 0.7 * source / {orders}))::BIGINT AS who
    FROM numbered ASOF JOIN calendar ON numbered.source >= calendar.opens
)
SELECT i + 1, who, moment,
    CASE WHEN chance(source, 'status') < 0.03 THEN 'cancelled'
         WHEN chance(source, 'status') < 0.07 THEN 'returned'
         WHEN moment > TIMESTAMP '2025-12-24' THEN 'shipped' ELSE 'delivered' END,
    CASE WHEN chance(source, 'channel') < 0.62 THEN 'web' WHEN chance(source, 'channel') < 0.93 THEN 'app'
         ELSE 'phone' END,
    customers.note
FROM placed JOIN customers ON customers.id = who ORDER BY i
"""
)

_ITEMS = (
    "INSERT INTO order_items WITH numbered AS ("
    + _SOURCE
    + """), lines AS (
    SELECT i, source, unnest(range(1 + floor(4 * pow(chance(source, 'lines'), 2))::BIGINT)) AS line FROM numbered
), chosen AS (
    SELECT i, line, source * 8 + line AS dice,
        1 + (floor(240 * pow(chance(source, 'product'), 1.5))::BIGINT + 61 * line) % 240 AS product
    FROM lines
)
SELECT i + 1, line + 1, product,
    1 + floor(3 * pow(chance(dice, 'quantity'), 3))::INTEGER, products.price
FROM chosen JOIN products ON products.id = product ORDER BY i, line
"""
)

_REFUNDS = """
INSERT INTO refunds
WITH totals AS (
    SELECT order_id, sum(quantity * unit_price) AS total FROM order_items
    WHERE order_id > {start} AND order_id <= {stop} AND chance(order_id, 'refund') < 0.04 GROUP BY 1
)
SELECT order_id * 10 + 1, order_id,
    CASE WHEN chance(order_id, 'part') < 0.7 THEN total ELSE greatest(total * 0.2, 1) END::DECIMAL(12, 2),
    ['damaged','wrong item','late','changed my mind','other'][1 + (chance(order_id, 'why') * 5)::INTEGER % 5],
    ordered_at + INTERVAL 1 SECOND * (86400 * (2 + 28 * chance(order_id, 'wait')))::BIGINT
FROM totals JOIN orders ON orders.id = order_id
WHERE orders.id > {start} AND orders.id <= {stop} ORDER BY order_id
"""
