"""Questions that nobody looked at while the rules were written: what the evaluation asks.

`CANNOT` are of kinds that the pocket cannot answer; `CAN` say which kind they are of.
"""

# ruff: noqa: E501 - tables of questions read better in long lines

from __future__ import annotations

from typing import Final

_CANNOT = """
Who's the guy on the left?|Whose dog is that?|Do you recognise this actor?|Is this somebody famous?|What's the name of the woman?|Who is standing there?|Who might have taken this photo?|Is that my brother?|Can you tell who this is?|Which singer is this?
Where did I take this?|Which town might this be?|In what country is this street?|Is this in Japan?|Where on earth is that?|What's the name of this place?|Where could this have been photographed?|Is it inside or outside?|Which museum is this?|Where does this come from?
When did this happen?|What time of day was it?|Which season is this?|How long ago was this picture taken?|Is it evening there?|What year might that be?|When was this built?|Is this from the 1980s?|What century is it from?|Was it taken at night?
Why is he smiling?|Why would someone do that?|What's the point of this?|What is the reason it is broken?|How come it is lying there?|Why does the sky look like that?|What is this for?|Why are they so happy?|What does this symbolise?|What is the meaning of this picture?
Is it going to rain?|What's the weather in the picture?|Does it look stormy?|Is it cold outside?|How warm is it there?|Is the sun shining?|Is it foggy?|What was the forecast?|Is there a storm coming?|How is the weather?
What is the man doing?|Are they dancing?|Is the dog sleeping?|What are the kids playing?|What happens next?|What is happening in this scene?|What's she holding?|Is anyone swimming?|Which sport is that?|What is the cat looking at?
What does the sign say?|Can you read the label for me?|What's written at the top?|Transcribe this please.|Which words do you see?|What is the phone number?|Translate the text to English.|What's the headline?|What does it spell?|Read out the first line.
What colour are her shoes?|What colour is his tie?|Which colour are its eyes?|What color is the lid of the jar?|What colour is the cat's tail?|What colour are the buttons?|What's the colour of the door handle?|What color is their hair?|What colour is the inside of it?|Which colour is the dog's nose?
Is it tasty?|How much is this worth?|What's it made out of?|How many calories are in it?|Is it poisonous?|Does it bite?|Can I wash it at 60 degrees?|How tall is the building?|Is she angry?|Would you eat this?
Is the cup bigger than the plate?|Which of them is taller?|What's underneath the table?|How far apart are they?|What's inside the box?|Que hay aquí?|Was siehst du auf dem Foto?|Qu'est-ce qu'on voit ici ?|Кто это?|这张照片里有什么?
"""
CANNOT: Final = tuple(_CANNOT.strip().replace("\n", "|").split("|"))

_CAN = """
what: What's that thing?|What have we here?|Please identify the object.|What do we see here?|What's on this picture?|Name what you see.|What can you make out?|what is shown here
describe: Describe what's in the photo.|Could you describe the picture for me?|Give me a short description.|Tell me more about this photo.|Please caption it.|A description, please.
which kind: What kind of dog is it?|Which type of bird is that?|What breed is the dog?|What sort of thing is it?|What animal is it?|Which fruit is that?
colour: What's its colour?|What color is the car?|Which colours do you see?|What are the main colors?|And its color?|What's the color of the bus?
background: What colour's the background?|And what is behind it?|What does the background look like?
sure: Are you completely sure?|How confident are you in that?|Is that really right?|Certain?|I don't think so.
guess: What else might that be?|Could this be something else?|Give me another guess.
else: Anything else in there?|What else can you see?|What other things are there?|Do you notice anything else?
count: How many dogs can you see?|How many people are in this photo?|Count the apples.|What's the number of chairs?|And how many are there?|How many of them?
where: Where's the cat?|Where exactly is the cup?|On which side is the dog?|Where do you see the car?|And where is it?
at: What's on the right side?|What do you see at the top?|What is in the bottom left corner?|And on the left?
presence: Is there a cat somewhere?|Can you see any people?|Are there any cars?|Do you see a bicycle in it?|Is a dog visible?|Does it show a horse?|Any cats?|Is there someone in the picture?
is it: Is that a cat?|Isn't this a dog?|Could it be a bus?|Are these apples?|Is it an animal?|Is this some kind of fruit?
is it coloured: Is it blue?|Is the car red?|Is that thing green?
either: Is it a cat or a dog?|Is this a lemon or an orange?
shape: Which shape is that?|What shapes can you see?
drawn: Is this a real photo or a drawing?|Is this a photograph?
"""
CAN: Final = {
    kind: tuple(questions.split("|"))
    for kind, _, questions in (line.partition(": ") for line in _CAN.strip().splitlines())
}

_CANNOT_JA = "この人は誰ですか|これはどこで撮った写真ですか|いつ撮られたものですか|なぜ笑っているのですか|今日の天気はどうですか|彼は何をしていますか|看板には何と書いてありますか|いくらぐらいしますか|おいしいですか|目の色は何色ですか|どちらが大きいですか|季節はいつですか|何時ごろですか|この人の名前を教えてください|危険ですか|文字を読んでください|どうしてここにあるの？|どこの国ですか|何を食べていますか|高さはどのくらいですか"
CANNOT_JA: Final = tuple(_CANNOT_JA.split("|"))
_CAN_JA = """
what: これはなんですか|写真には何が写っていますか|何が見える？|これって何？
describe: この画像を説明してもらえますか|どんな写真ですか
colour: 色は何ですか|車は何色ですか|何色？
background: 背景は何色？|後ろの色は？
count: 犬は何匹いますか|人は何人いますか|いくつ見えますか|りんごの数は？
where: 猫はどこにいますか|どこにありますか
at: 左側には何がありますか|右にあるのは何ですか
presence: 犬はいますか|車が写っていますか|人がいますか？
is it: これは猫ですか|犬でしょうか
sure: 本当に？|確かですか
else: ほかに何がありますか|他には？
which kind: 何の動物ですか|どんな種類ですか
"""
CAN_JA: Final = {
    kind: tuple(questions.split("|"))
    for kind, _, questions in (line.partition(": ") for line in _CAN_JA.strip().splitlines())
}
