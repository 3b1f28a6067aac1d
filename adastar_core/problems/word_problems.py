"""Exemplars of short arithmetic stories, for GSM8K and SVAMP alike."""

from adastar_core.problems.prompts import Exemplar

EXEMPLARS = Exemplar.all_of(
    """
A bakery sells muffins in boxes of 6. On Saturday it sold 14 boxes and 5 single muffins. How many muffins \
did it sell?
A: The boxes held 14 * 6 = 84 muffins. With the 5 single ones, the bakery sold 84 + 5 = 89 muffins. #### 89

Lena had 45 stickers. She gave 8 stickers to each of her 3 cousins. How many stickers does she have left?
A: Lena gave away 3 * 8 = 24 stickers. She has 45 - 24 = 21 stickers left. #### 21

A train ticket costs $18 for an adult and half as much for a child. How much do 2 adults and 3 children \
pay?
A: A child's ticket costs 18 / 2 = 9 dollars. The adults pay 2 * 18 = 36 dollars and the children pay 3 * 9 \
= 27 dollars. Together they pay 36 + 27 = 63 dollars. #### 63

There were 17 birds on a wire. 9 of them flew away, and then 6 other birds landed. How many birds are on \
the wire now?
A: After 9 birds flew away there were 17 - 9 = 8 birds. Then 6 landed, so there are 8 + 6 = 14 birds. #### \
14

Omar reads 12 pages on every weekday and 20 pages on each day of the weekend. How many pages does he read \
in 4 weeks?
A: On weekdays he reads 5 * 12 = 60 pages a week. On weekends he reads 2 * 20 = 40 pages. That is 60 + 40 = \
100 pages a week, so in 4 weeks he reads 4 * 100 = 400 pages. #### 400

A water tank holds 240 liters. It is three quarters full when 45 liters are taken out. How many liters are \
left in it?
A: A quarter of the tank is 240 / 4 = 60 liters, so three quarters are 3 * 60 = 180 liters. After taking \
out 45 liters, 180 - 45 = 135 liters are left. #### 135

Mia has 7 more marbles than Tom. Tom has twice as many marbles as Ana, who has 11. How many marbles does \
Mia have?
A: Tom has 2 * 11 = 22 marbles. Mia has 7 more, which is 22 + 7 = 29 marbles. #### 29

A shirt costs $40. In a sale its price falls by 25%. How much do 3 shirts cost in the sale?
A: The price falls by 40 / 4 = 10 dollars, so a shirt costs 40 - 10 = 30 dollars. Three shirts cost 3 * 30 \
= 90 dollars. #### 90
"""
)
