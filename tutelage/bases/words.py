"""Word lists the invented tasks are made of."""


def listed(words: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in words.split(";"))


# What a user says for each verb of a function's name.
VERBS: dict[str, tuple[str, ...]] = {
    "order": listed("order;i want to order;get me;can i get;i'd like to order;please order"),
    "buy": listed("buy;purchase;i want to buy;pick up;i need to buy;get"),
    "cancel": listed("cancel;call off;please cancel;i need to cancel;drop;scrap"),
    "track": listed("track;where is;follow;find out where is;check on;keep an eye on"),
    "compare": listed("compare;show me the difference between;which is better,;put side by side"),
    "reserve": listed("reserve;hold;save me;i want to reserve;set aside;can you reserve"),
    "rent": listed("rent;hire;i want to rent;i need to rent;get me a rental of"),
    "send": listed("send;please send;shoot over;i want to send;forward;can you send"),
    "transfer": listed("transfer;move;wire;please transfer;i'd like to move"),
    "pay": listed("pay;settle;i want to pay;take care of;please pay"),
    "check": listed("check;what is;what's;look up;tell me;can you check;let me see"),
    "set": listed("set;change;make it so;put;adjust;please set;switch"),
    "turn_on": listed("turn on;switch on;start;enable;power up;activate"),
    "turn_off": listed("turn off;switch off;stop;disable;shut down;kill"),
    "schedule": listed("schedule;plan;set up;arrange;put in my calendar;i need to schedule"),
    "move": listed("move;push;shift;reschedule;bring forward;can you move"),
    "remind": listed("remind me about;don't let me forget;i need a reminder for;ping me about"),
    "find": listed("find;look for;search for;show me;i'm looking for;where can i find;any"),
    "list": listed("list;show;show all;what are;give me all;read out"),
    "add": listed("add;put;include;insert;append;please add;throw in"),
    "remove": listed("remove;delete;take off;get rid of;drop;erase"),
    "update": listed("update;change;edit;correct;modify;fix"),
    "create": listed("create;make;start;open;new;set up;i want to create"),
    "share": listed("share;post;send around;publish;let people see"),
    "record": listed("record;log;note down;write down;save;tape"),
    "download": listed("download;fetch;pull;save a copy of;grab"),
    "translate": listed("translate;how do you say;say;put into another language"),
    "convert": listed("convert;turn;change;work out;how much is"),
    "call": listed("call;phone;ring;dial;get on the line;i want to call"),
    "report": listed(
        "report;i want to report;there is a problem with;file a report on;complain about"
    ),
    "return": listed("return;send back;give back;i want to return;bring back"),
    "renew": listed("renew;extend;keep;prolong;i'd like to renew"),
    "print": listed("print;run off;make a copy of;i need prints of"),
    "explain": listed("explain;tell me about;what does it mean,;describe;help me understand"),
    "lock": listed("lock;secure;close;bolt"),
    "measure": listed("measure;how big is;take a reading of;gauge"),
    "assign": listed("assign;give;hand;pass;delegate"),
    "approve": listed("approve;accept;say yes to;sign off on;okay"),
    "join": listed("join;sign up for;enter;get me into;enrol in"),
    "water": listed("water;sprinkle;give water to;irrigate"),
    "cook": listed("cook;how do i make;prepare;bake;i want to make"),
    "teach": listed("teach me;show me how to do;i want to learn;give me a lesson on"),
    "invite": listed("invite;ask;bring along;send an invitation to"),
    "open": listed("open;launch;bring up;go to;show"),
    "pause": listed("pause;hold;stop for now;freeze"),
    "sell": listed("sell;get rid of;put up for sale;i want to sell"),
    "review": listed("review;look over;check through;go over"),
    "estimate": listed("estimate;guess;how long is;give me a rough idea of;predict"),
}

# Domain: nouns of its functions, then its slots as name:kind.
DOMAINS: dict[str, tuple[str, str]] = {
    "shopping": (
        "item;parcel;gift;coupon;basket;refund;wish list;jacket;shoes;laptop",
        "product:thing brand:title size:size color:color quantity:number store:title "
        "price:money recipient:person material:material delivery_date:date",
    ),
    "travel": (
        "trip;train;ferry;cabin;tour;visa;luggage;ticket;cruise;hostel",
        "origin:place destination:place departure_date:date return_date:date class:size "
        "traveler:person passengers:number operator:title seat:code departure_time:time",
    ),
    "bank": (
        "payment;account;invoice;loan;card;transfer;statement;budget;tax;savings",
        "amount:money payee:person account:account currency:currency due_date:date "
        "reference:code bank:title purpose:thing period:span iban:code",
    ),
    "home": (
        "lamp;heater;blinds;door;oven;fan;vacuum;garage;sprinkler;camera",
        "room:room device:thing level:number temperature:number color:color mode:mode "
        "until:time duration:span scene:title floor:ordinal",
    ),
    "calendar": (
        "meeting;appointment;deadline;holiday;class;interview;birthday;shift;reminder;call",
        "title:title person:person date:date time:time duration:span place:place "
        "repeat:repeat topic:thing note:thing attendees:person",
    ),
    "messages": (
        "message;mail;letter;photo;contact;group;voicemail;draft;post;fax",
        "recipient:person text:thing subject:title sender:person app:title group:title "
        "attachment:code send_time:time channel:title email:email",
    ),
    "media": (
        "podcast;video;channel;radio;photo album;broadcast;audiobook;game;comic;concert",
        "title:title creator:person episode:number language:language service:title "
        "year:year volume:number device:thing category:adjective length:span",
    ),
    "food": (
        "recipe;pizza;groceries;lunch box;coffee;cake;delivery;menu;snack;catering",
        "dish:thing ingredient:thing size:size topping:thing servings:number cook:person "
        "diet:adjective address:address ready_by:time chef:person",
    ),
    "health": (
        "doctor visit;prescription;workout;medicine;test result;diet;blood pressure;run;sleep;"
        "dentist",
        "doctor:person symptom:thing dose:number medicine:title date:date clinic:title "
        "duration:span distance:number body_part:thing patient:person",
    ),
    "support": (
        "ticket;complaint;password;subscription;outage;warranty;repair;login;bug;device",
        "problem:thing customer:person order_id:code product:title priority:adjective "
        "email:email version:number opened_on:date department:title phone:phone",
    ),
    "work": (
        "task;project;document;timesheet;job;report;budget;candidate;contract;desk",
        "title:title owner:person deadline:date status:mode priority:adjective team:title "
        "hours:number client:title comment:thing file:code",
    ),
    "school": (
        "course;exam;essay;homework;lesson;library card;lecture;grade;club;degree",
        "subject:thing teacher:person student:person grade:number room:code topic:title "
        "due:date language:language level:adjective start_time:time",
    ),
    "transport": (
        "taxi;bike;bus;scooter;parking spot;car;route;charger;truck;ride",
        "pickup:place dropoff:place driver:person plate:code time:time stop:place "
        "line:code vehicle:thing passengers:number fare:money",
    ),
    "property": (
        "flat;house;viewing;tenant;mortgage;office;plumber;lease;room;moving van",
        "address:address city:place bedrooms:number rent:money agent:person area:number "
        "move_in:date feature:thing district:place deposit:money",
    ),
    "events": (
        "party;wedding;match;festival;workshop;exhibition;auction;charity run;quiz;dance",
        "event:title venue:title city:place date:date guests:number host:person theme:thing "
        "start:time team:title prize:money",
    ),
    "science": (
        "sample;experiment;star;plant;sensor;animal;rock;telescope;element;map",
        "species:title location:place reading:number unit:unit observer:person found_on:date "
        "label:code habitat:thing weight:number name:title",
    ),
}

CLOSED: dict[str, tuple[str, ...]] = {
    "size": listed("small;medium;large;extra large;tiny;regular;double;economy;first;half"),
    "color": listed("red;dark green;blue;black;off-white;pale yellow;grey;violet;orange;teal"),
    "material": listed("wool;cotton;oak;leather;steel;glass;silk;bamboo;plastic;linen"),
    "currency": listed("euros;dollars;pounds;yen;EUR;USD;Swiss francs;pesos;rupees;GBP"),
    "account": listed("savings;checking;joint account;business account;main account;credit card"),
    "room": listed("kitchen;living room;bedroom;hall;attic;cellar;bathroom;guest room;porch;den"),
    "mode": listed("eco;quiet;auto;night;away;done;open;blocked;dry;in review;paused;fast"),
    "ordinal": listed("first;second;third;fourth;ground;top;last;5th;2nd;upper"),
    "repeat": listed("daily;weekly;every monday;monthly;every two weeks;each morning;yearly"),
    "language": listed("french;Spanish;german;Japanese;portuguese;Welsh;hindi;Korean;latin;Dutch"),
    "adjective": listed(
        "urgent;low;vegan;funny;classic;modern;high;spicy;gluten free;beginner;advanced;cheap;"
        "quiet;old fashioned;scary;short;romantic;critical;normal;kosher;famous;local;recent"
    ),
    "unit": listed("kg;miles;degrees;litres;grams;km;feet;ounces;volts;percent"),
}

LEADS: dict[str, tuple[str, ...]] = {
    "person": listed("for {};with {};by {};to {};from {};of {};{}'s;and {};called {}"),
    "place": listed("in {};near {};at {};to {};from {};around {};close to {};out of {}"),
    "title": listed("called {};named {};from {};at {};in {};on {};by {};titled {};of {};{}"),
    "thing": listed("with {};about {};for {};that says {};like {};of {};to {};saying {};{}"),
    "number": listed("to {};of {};for {};with {};at {};number {};{}"),
    "money": listed("for {};of {};under {};at {};worth {};up to {};less than {}"),
    "date": listed("on {};for {};by {};before {};starting {};{};from {};in {};until {}"),
    "time": listed("at {};around {};by {};from {};{};before {};no later than {}"),
    "span": listed("for {};over {};in {};lasting {};within {};during {}"),
    "code": listed("with code {};number {};under {};using {};no. {};ref {};{}"),
    "email": listed("to {};from {};at {};via {};using {}"),
    "phone": listed("at {};on {};to {};with number {}"),
    "address": listed("at {};to {};on {};in {};near {}"),
    "year": listed("from {};of {};in {};since {};before {}"),
    "closed": listed("in {};with {};to {};{};for {};on {};at {};as {}"),
}

OPENERS = listed(
    "please;hey;can you;could you;i need you to;hi,;would you;ok;i'd like you to;now;so;hello,;"
    "well,;could you please;go ahead and;kindly;let's;also;hm,;quickly;alright,;"
)
CLOSERS = listed(
    "please;thanks;for me;now;today if possible;thank you;right away;ok?;if you can;as usual;"
    "asap;will you;again;when you get a chance;!;?;.;.;.;?;"
)

MONTHS = listed(
    "January;February;March;April;May;June;July;August;September;October;November;December"
)
DAYS = listed("Monday;Tuesday;Wednesday;Thursday;Friday;Saturday;Sunday")
NUMBERS = listed("one;two;three;four;five;six;seven;eight;nine;ten;eleven;twelve;twenty;fifty;zero")
SYLLABLES = listed(
    "ba;ro;mi;ta;lu;ve;zo;shi;kan;dor;el;fi;gra;hu;ix;jo;ka;len;mor;ni;or;pe;qua;ri;sta;to;un;va;"
    "wyn;xe;ya;zu;che;bri;dell;eth;fen;gol;han;is;sø;né;grü;ção;ño;łu;œ;ész"
)
ACCENTS = {"a": "áàâäãå", "e": "éèêë", "i": "íìîï", "o": "óòôöõø", "u": "úùûü", "n": "ñ", "c": "ç"}
STREETS = listed("Street;Road;Avenue;Lane;Square;Way;Boulevard;Hill;Court;Drive;st;ave")
PARTS = listed("the north of;downtown;the old town of;upper;lower;west;the centre of;greater")
