"""What the sample's later releases add to its service, piece by piece."""

from __future__ import annotations

ANSWER = '''\
    """Return status, kind and text of a page."""
'''

NAME = """\
    path, _, query = path.partition("?")
    name = parse_qs(query).get("name", [""])[0]
"""

HELLO = """\
def hello(name):
    return f"<p>Hello {escape(name)}!</p>" if name else "<p>Hello!</p>"


"""

PRODUCTS = '''\
"""What there is to buy, and what it costs in cents."""

PRODUCTS = {"Mug, blue": 12_50, "Tea pot": 34_90, "Spoon": 3_05}


def price(cents):
    return f"{cents // 100}.{cents % 100} EUR"
'''

SHELF = """\
def shelf():
    items = "".join(item(name, cents) for name, cents in products.PRODUCTS.items())
    return f"<ul>{items}</ul>"


def item(name, cents):
    return f"<li>{escape(name)}: {products.price(cents)}</li>"


"""

RATED_SHELF = """\
def shelf(ratings):
    items = "".join(item(name, cents, ratings) for name, cents in products.PRODUCTS.items())
    return f"<ul>{items}</ul>"


def item(name, cents, ratings):
    is_rated = setting("ratings") == "yes" and name in ratings
    stars = f" ({ratings[name]} of 5 stars)" if is_rated else ""
    return f"<li>{escape(name)}: {products.price(cents)}{stars}</li>"


"""

RATINGS = """\
CREATE TABLE ratings (product TEXT NOT NULL, stars INTEGER NOT NULL CHECK (stars BETWEEN 1 AND 5));
INSERT INTO ratings VALUES ('Mug, blue', 5);
INSERT INTO ratings VALUES ('Tea pot', 4);
"""

READ_RATINGS = '''\
def ratings(file=None):
    """Return the stars of each product that has any, on average."""
    return dict(rows("SELECT product, round(avg(stars), 1) FROM ratings GROUP BY 1", file))


'''

FRONT_WITH_RATINGS = "storage.greetings(), name, storage.ratings())"

HEALTH = '''\
def price_problem():
    """Return why prices cannot be shown, or nothing."""
    try:
        products.price(1_00)
    except KeyError as error:
        return f"prices cannot be shown: {error} is not set"
    return ""


'''
