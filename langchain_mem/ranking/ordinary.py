"""Sentences that an embedder is measured by.

None is about any other: what an embedder gives them is what it gives unrelated texts.
"""

from __future__ import annotations

from typing import Final

ORDINARY: Final = tuple(
    """
I usually get up around seven.
We had dinner with friends last weekend.
My sister is moving to another city next month.
What are you doing tomorrow?
I finished the report this morning.
The train was late again today.
Can you recommend a good book?
She started a new job in spring.
I don't really like crowded places.
He plays football every Tuesday.
How was your trip?
We are thinking about getting a dog.
That sounds great, thank you!
My parents visited us in the summer.
I need to buy a birthday present.
The weather has been awful all week.
Have you seen that film yet?
I'm learning to play the guitar.
Lives in a small flat near the station.
Prefers tea to coffee.
Works as a nurse at a hospital.
Is allergic to cats.
They got married three years ago.
I forgot my keys at the office.
Could you remind me to call the dentist?
The kids have a school play on Friday.
I'm trying to eat less sugar.
We painted the kitchen yellow.
What time does the shop close?
My phone is broken.
He told me a funny story about his neighbor.
I went for a run in the park.
Our team won the match on Saturday.
She wants to study medicine.
Where did you grow up?
I'm a bit tired today.
The meeting was moved to Thursday afternoon.
I bought a used car from a colleague.
Which of these two do you like better?
My grandmother taught me how to bake bread.
I have been feeling stressed at work lately.
Let's talk about something else.
He is saving money for a house.
The doctor said I should rest for a few days.
Do you have any plans for the holidays?
I would like to travel to Japan one day.
We watched the sunset on the beach.
The new update makes the program much slower.
Please write a short message to my landlord.
I took a lot of photos at the wedding.
She adopted two cats from a shelter.
Why did they close the library?
I usually pay by card.
The garden is full of tomatoes this year.
My brother lost his wallet on the bus.
That reminds me of my first day at school.
I can't decide what to wear.
How do I get to the airport from here?
We planted a tree in front of the house.
I joined a choir a few months ago.
He does not drink alcohol.
The soup needs more salt.
Thanks for your help, I really appreciate it.
I'm worried about the exam.
Has two daughters and a son.
Wants short answers without jargon.
What is the name of her company?
I used to live abroad for some years.
The heating in my room does not work.
We are planning a party for our neighbors.
It took me an hour to find a parking space.
She is reading a novel about the war.
When did you last hear from them?
I made a mistake in the spreadsheet.
My favorite color is green.
They want to open a small restaurant.
I volunteer at the animal shelter on Sundays.
Do you think that was a good idea?
The package never arrived.
I've been sleeping badly for weeks.
He quit smoking in January.
Our flight was canceled because of the storm.
I need a new pair of glasses.
Explain how photosynthesis works.
Translate this sentence into French.
The concert was louder than I expected.
I promised to help him move.
She speaks three languages.
Could you summarize this text for me?
My knee hurts when I climb stairs.
We went camping near the lake.
The price went up by ten percent.
I love cooking for other people.
What was the most difficult part?
He has been my best friend since childhood.
I think I left the window open.
I signed up for a pottery class.
The baby slept through the night.
Yesterday I met an old colleague by chance.
You should try the new bakery around the corner.
Ich habe heute keine Zeit.
Wir fahren im Sommer ans Meer.
Was soll ich heute kochen?
Mein Bruder arbeitet bei einer Bank.
J'habite à Lyon depuis deux ans.
Qu'est-ce que tu fais ce soir ?
Elle n'aime pas les champignons.
Me gusta salir a caminar por la tarde.
¿Dónde trabaja tu hermana?
Mi madre cumple años en mayo.
Vorrei prenotare un tavolo per due.
Ieri sono andato al cinema.
Eu trabalho de casa às sextas-feiras.
Zij heeft een nieuwe fiets gekocht.
W weekend jedziemy w góry.
Я живу в маленьком городе.
Ты уже купил билеты?
昨日友達と映画を見ました。
明日の天気はどうですか。
我每天坐地铁上班。
你周末想做什么？
저는 커피를 좋아해요.
أعمل في شركة صغيرة.
مجھے کھانا پکانا پسند ہے۔
मैं हर सुबह टहलने जाता हूँ।
Bugün çok yorgunum.
Tôi thích nghe nhạc vào buổi tối.
Jag flyttade hit förra året.
""".strip().splitlines()
)
"""Statements, questions and requests as people make them, in English and some in twenty other languages."""
