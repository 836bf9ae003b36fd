/**
 * Words and phrases that people make passwords of, in the four languages of the pages. Compared with case folded, masks
 * such as `p@ssw0rd` taken off, and without digits and signs before and behind, so that each stands for the thousands
 * of leaked passwords that are made of it. Short ones count too: `love2024!!` is `love`.
 */
export const COMMON_WORDS = `
password passwords passwort passwoord wachtwoord motdepasse mypassword passpass passw passwd passwrd pasword passwordpassword
mypass mypasswd newpassword oldpassword thepassword yourpassword passwordisnothing passwordone passwordforold secret secrets
topsecret geheim geheimnis geheimwort streng passphrase passcode access accessdenied account admin administrator adminadmin
administrateur beheerder root rootroot toor superuser superadmin sysadmin system systemadmin user username users guest guestguest
demo demodemo test tests tester testing testtest testuser testpassword testaccount temp temporary default changeme changemenow
changeit changethis changepassword letmein letmeinnow letmeinplease letmeintoo login loginlogin logmein signin signup sesame
opensesame open enter entrance master masterkey keymaster killer hacker hack hackme security secure safe safety private
privat prive public server service support office internet website web computer desktop laptop windows microsoft office365
google gmail yahoo hotmail outlook facebook instagram twitter youtube whatsapp amazon apple iphone samsung android nokia
linux ubuntu debian oracle mysql postgres sqlserver database backup network router cisco wireless wifi hallowifi netgear dell
lenovo thinkpad macbook playstation xbox nintendo minecraft fortnite roblox pokemon pikachu charizard zelda mario luigi sonic
tandem phone mobile telephone telefon handy qwerty qwert qwertz azerty qazwsx qwertyuiop asdf asdfgh asdfghjkl zxcvbn zxcvbnm
yxcvbnm asdfasdf qweqwe qweasd qweasdzxc qazxsw asd qwe zxc zaq zaqwsx zaqxsw wasd abc abcd abcde abcdef abcdefg abcabc
abcdefgh abcdefghi abcdefghij iloveyou ilove iloveu iloveme iloveyouso iloveyouforever iloveyoubaby iloveyoutoo iloveyoumom
iloveit ilovegod ilovejesus ilovemusic ilovemyself ilovemymom ilovemydad ilovemydog ilovemycat ilovemyfamily ilovemylife
ilovemywife iloveme love lover lovers lovely loveyou loveme loveless loveislove lovelove mylove truelove amour amoureux
jetaime jetaimeplus monamour liebe liebling ichliebedich ichliebdich schatz schatzi schatzii meinschatz schnucki hase hasi
liefde lieverd schatje ikhouvanjou ikhouvanje lief tequiero teamo amor amore angel angels angelo angela engel engelchen
sunshine sun sonne sonnenschein soleil zon zonnetje zonneschijn moon mond lune maan star stars stern sternchen etoile ster
superstar rockstar princess prinzessin princesse prinses prince prinz queen queens king kings konig koning roi lord god
jesus jesuschrist jesuslovesme christ godisgood godislove godbless godblessme allah mohammed muhammad bible angelina heaven
hell devil satan demon monkey monkeys affe aap singe dragon dragons drache drachen draak dragonball dragonfly tiger tigers
tijger tigre tigger lion lions loewe leeuw panther eagle eagles adler aigle arend falcon falcons falke hawk wolf wolves wolfgang
bear baer beer ours cat cats katze katzen kater kat poes poesje kitty kitten kitties chat chaton minou dog dogs doggy doggie hund
hunde hond hondje chien puppy puppies hase haeschen rabbit konijn lapin bunny bunnies horse horses pferd pferde paard cheval pony
mouse maus muis souris mausi mausebaer birdie bird vogel oiseau butterfly schmetterling papillon vlinder dolphin dolphins delfin
dolfijn dauphin fish fisch vis poisson shark turtle snake spider spiderman bee biene elephant elefant olifant pinguin penguin
panda unicorn einhorn eenhoorn licorne phoenix phenix dinosaur football fussball voetbal foot footballer soccer baseball
basketball hockey tennis golf golfer cricket rugby volleyball handball ronaldo messi neymar beckham zidane mbappe maradona
cristiano arsenal chelsea liverpool manchester manchesterunited manutd united barcelona barca realmadrid juventus milan
intermilan ajax feyenoord psv bayern bayernmuenchen bayernmunchen borussia dortmund schalke hsv werder werderbremen psg
olympique marseille lyon celtic rangers everton tottenham cowboys steelers packers yankees redsox lakers bulls giants raiders
broncos patriots superman batman ironman captain captainamerica wonderwoman hulk joker starwars darthvader skywalker yoda
jedi matrix hobbit gandalf frodo lordoftherings harrypotter potter hogwarts dumbledore voldemort gryffindor slytherin merlin
simpsons homer bart naruto sasuke pokemongo snoopy mickey mickeymouse minnie donald goofy garfield tweety bambi nemo shrek
winnie winniethepooh barbie hellokitty spongebob scooby scoobydoo michael michelle jennifer jessica ashley amanda daniel daniela
daniele danielle david robert roberto thomas thomasthomas andrew andrea andreas joshua matthew matthias anthony antonio
christopher christian christine christina charlie charlotte george georg georges jordan justin brandon brandy nicole nicolas
samantha samuel hannah sarah sara sophie sophia emma emily anna anne annette anja maria marie mariana martin martina markus
marcus marco mario max maximilian moritz paul paula peter petra pieter pierre philip philippe philipp patrick patricia oliver
olivier stefan stefanie stephan stephanie sebastian sandra sabine susanne susan simon simone tobias tim timo jan johan
johannes john johnny johnson joseph josef jose juan carlos carlo karl klaus kevin kerstin laura lauren lea lena leon leonie
linda lisa louis louise luca lucas lukas julia julian julie jonas jasmin jasmine jacob jakob jack jackson james jason
alexander alexandra alexandre alexis alex benjamin ben bernd bernard birgit bram daan sem femke fleur floor sanne lotte
lieke thijs willem wouter jeroen joost kees henk hans heinz heike herbert helmut guenther gabriele franz frank francois
francoise felix fabian elisabeth elizabeth elise eric erik eva dieter dennis denis dominik dominique claude claudia camille
chantal cedric celine brigitte antoine aurelie isabelle isabella jacques jean jeanne katharina kathrin katrin manon mathieu
melanie melissa monika monique nadine natalie nathalie nina nathan noah pascal rebecca renate romain sylvie thierry ursula
valerie vanessa veronique vincent victoria victor virginie viktoria xavier yannick yvonne zoe mother mama mami mamma maman
mutter moeder mom mommy mum dad daddy papa papi father vater vader pere mere family familie famille brother bruder broer
frere sister schwester zus soeur baby babies babygirl babyboy babyblue babydoll girl girls mädchen boy boys junge jongen
bebe friend friends freund freunde freundin vriend vriendin vrienden ami amis bestfriend bestfriends bestfriendsforever
forever foreverandever foreverlove forevermore friendship freedom freiheit vrijheid liberte peace frieden vrede paix happy
happyday happylife happiness smile smiley lachen sourire hope hoffnung hoop espoir faith dream dreams dreamer traum droom
reve life leben leven vie lucky luck glueck geluk bonheur beautiful beauty schoen mooi belle beau pretty sweet sweety
sweetie sweetheart sugar honey cookie cookies candy chocolate schokolade chocola chocolat cheese kaese kaas fromage banana
orange apple cherry strawberry erdbeere aardbei fraise lemon peach pepper ginger vanilla coffee kaffee koffie cafe beer bier
biere wine wein wijn vin whisky whiskey vodka pizza nutella hamburger bacon butter flower flowers blume blumen bloem bloemen
fleur rose roses rosebud daisy lily violet violetta jasmin sunflower tulip tulpe tulp tree baum boom arbre nature natur summer
sommer zomer ete winter hiver spring frühling fruehling lente printemps autumn herbst herfst automne season january february
march april may june july august september october november december januar februar maerz juni juli oktober dezember januari
februari maart mei augustus janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre monday tuesday
wednesday thursday friday saturday sunday montag dienstag mittwoch donnerstag freitag samstag sonntag maandag dinsdag
woensdag donderdag vrijdag zaterdag zondag lundi mardi mercredi jeudi vendredi samedi dimanche birthday geburtstag
verjaardag anniversaire christmas weihnachten kerstmis noel easter ostern pasen halloween newyear welcome welcomehome
willkommen welkom bienvenue hello hellohello helloworld hellothere hallo hallohallo hallowelt bonjour salut goedemorgen
gutentag gutenmorgen moin servus tschuess goodbye byebye goodmorning goodnight goodluck goodday thankyou thanks danke merci
bedankt please bitte alstublieft sorry whatever nothing something anything everything someone nobody noone never always
immer altijd toujours today tomorrow yesterday black white red blue green yellow purple pink silver gold golden schwarz weiss
rot blau gruen gelb lila rosa zwart wit rood blauw groen geel noir blanc rouge bleu vert jaune blackberry blackcat blackjack
redbull bluesky greenday rainbow regenbogen regenboog arcenciel diamond diamant crystal kristall pearl jewel silver money
geld argent dollar euro euros bitcoin million millionaire rich bank banking visa mastercard paypal casino poker jackpot
winner champion champions legend hero heroes warrior soldier ninja samurai pirate cowboy ranger hunter rider knight ritter
ridder chevalier wizard magic magie magician shadow shadows schatten schaduw ombre ghost geist phantom vampire zombie killerbee
assassin sniper counterstrike callofduty warcraft worldofwarcraft starcraft diablo overwatch leagueoflegends metallica nirvana
slipknot linkinpark greenday eminem rihanna beyonce madonna shakira beatles elvis rammstein acdc ironmaiden blink music musik
muziek musique guitar gitarre gitaar guitare piano drummer dancer dance tanzen dansen danser rock rocknroll hiphop techno
party disco school schule ecole student lehrer teacher leraar professor doctor doktor docteur nurse lawyer engineer manager
boss chef chief president police polizei politie fire feuer vuur feu fireman feuerwehr brandweer water wasser eau ice thunder
lightning blitz bliksem storm sturm hurricane rain regen pluie snow schnee sneeuw neige snowball snowman snowflake ocean
beach strand plage mountain berg montagne river fluss rivier island insel eiland germany deutschland duitsland allemagne
berlin hamburg muenchen munich koeln cologne frankfurt stuttgart duesseldorf leipzig dresden austria oesterreich wien vienna
switzerland schweiz zuerich suisse france frankreich frankrijk paris bordeaux toulouse nantes lille strasbourg nederland
netherlands holland amsterdam rotterdam utrecht denhaag eindhoven groningen belgium belgie belgique antwerpen bruxelles brussel
brussels england london britain scotland ireland dublin wales america usa newyork newyorkcity california losangeles chicago
boston texas florida miami dallas houston denver phoenix seattle washington canada toronto montreal mexico brasil brazil
argentina australia sydney japan tokyo china india russia moscow italy italia rome roma spain espana madrid portugal poland
polska turkey istanbul galatasaray fenerbahce besiktas mercedes mercedesbenz porsche ferrari lamborghini audi volkswagen
opel bmw renault peugeot citroen toyota honda nissan mazda suzuki yamaha kawasaki harley harleydavidson ducati corvette
mustang camaro chevrolet chevy ford jeep subaru volvo tesla truck trucker racing racer formula formulaone schumacher
verstappen hamilton motorcycle motorrad bicycle fahrrad fiets velo airplane flugzeug vliegtuig avion airborne pilot marine
marines army navy airforce military soldat sexy sexygirl sex sexsex fuck fucker fuckyou fuckoff fuckme fuckit fuckthis
motherfucker shit bullshit bitch bitches asshole arschloch scheisse scheiss merde putain kut klootzak kanker godverdomme
wichser ficken fick hurensohn hure pussy dick cock penis porn porno naked boobs tits blowme biteme kissme kiss kisses bisou
bisous kuss kusje hug loser idiot stupid dumb crazy verrueckt gek cool coolman awesome amazing perfect fantastic great
super superb supersuper mega turbo extreme ultimate power maxpower powerful strong energy number numberone onetwothree one two
three four five six seven eight nine ten onetwothreefour einszweidrei eenttweedrie undeuxtrois zero null infinity nummer
alpha omega beta gamma delta sigma apollo zeus athena hercules achilles spartan sparta trojan titan titanic atlantis olympus
galaxy universe planet earth mars jupiter saturn venus mercury neptune rocket apollo space spaceship enterprise startrek
trustno trustnoone trustme believe neverforget nevergiveup nevermind neversaynever carpediem hakunamatata lol lollol
lmao rofl omg wtf blah blahblah blabla blablabla bla foobar foo foobarbaz barbaz lorem loremipsum example sample beispiel
voorbeeld exemple anonymous incognito unknown mystery nopassword nopass none noway dontforget forgot forgotten forgetit
remember rememberme idontknow idk idontcare whocares whoami itsme itisme iamgod iamthebest iamme thisisme thisismypassword
thisisapassword thisispassword mynameis myname mylife myself mybaby mydog mycat myfamily myhouse house haus huis maison home
homesweethome sweethome garden garten tuin jardin kitchen window fenster door tuer deur porte table tisch table chair stuhl stoel
correcthorsebatterystaple correcthorse batterystaple horsebatterystaple
`;
