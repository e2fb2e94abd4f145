namespace Slm.Training.Stories;

/// <summary>Where an activity fits.</summary>
public enum VerbKind
{
    /// <summary>Play alone or together, out of doors or in.</summary>
    Play,

    /// <summary>Quiet pleasure: reading, drawing, dreaming.</summary>
    Calm,

    /// <summary>Useful work one helps with.</summary>
    Chore,

    /// <summary>A skill that takes practice.</summary>
    Skill,

    /// <summary>A joyful reaction.</summary>
    Joy,
}

/// <summary>A verb with what goes with it: "wash" + "the dishes".</summary>
public sealed record VerbPhrase(string Verb, string Past, string Ing, string Rest, VerbKind Kind)
{
    public string Base => Join(Verb);

    public string Ed => Join(Past);

    public string Gerund => Join(Ing);

    private string Join(string form) => Rest.Length == 0 ? form : form + " " + Rest;
}

/// <summary>The verbs, each with complements that make sense. Irregular: base>past>ing; a * doubles the last letter.</summary>
public static class VerbList
{
    public static readonly IReadOnlyList<VerbPhrase> All = Parse(
        (VerbKind.Play, "run>ran>running around the yard/in the grass/down the hill;jump over puddles/on the bed/up and down;hop* on one foot/from stone to stone;skip* along the path/down the street;climb trees/the big rocks;dance to music/in the rain/in circles;spin>spun>spinning around and around;slide>slid>sliding down the hill;swing>swung>swinging on the old swing/from a rope;splash in the puddles/in the water;dig*>dug>digging in the sand/big holes;build>built>building towers/sandcastles/little forts;hide>hid>hiding behind trees/under the table;chase butterflies/the wind/bubbles;catch>caught>catching bugs/falling leaves;throw>threw>throwing snowballs/stones into the water;kick a ball/leaves into the air;roll down the hill/in the grass;race the wind/to the old tree;march like a soldier/in a line;pretend to be a pirate/to fly/to be a king;explore the woods/new places;play games/hide-and-seek/tag;crawl through the tall grass/under the bed;bounce a ball/on the bed;float on the water/paper boats;fly>flew>flying a kite/paper planes;gallop like a horse;wander in the woods/through the garden;sneak around the house/past the cat;tumble in the leaves;juggle apples;balance on a log/on one leg;leap over logs/like a frog;swim>swam>swimming in the lake/in the pond;ride>rode>riding a bike/on the bus;skate on the ice/in the park;stomp in the mud/like a giant;crunch the dry leaves;follow tiny tracks/the river;pop* bubbles;blow>blew>blowing bubbles;toss a ball/sticks into the river;wrestle with the dog;twirl in circles;dive>dived>diving into the leaves/into the water;dress up like a wizard;push a toy cart;pull a little wagon;search for treasure/for bugs;hunt for shells/for clues;tickle the baby;imitate birds/silly sounds;camp in the yard;sail little boats;paddle in the stream;shout into the cave/hello to the hills;drum* on old pots;cartwheel across the lawn;invent new games/funny songs;balance on the wall;gather pretty stones;collect shells/leaves/stamps;scramble over the rocks;trade cards;guess riddles;hike up the hill;wade in the creek;juggle pinecones;scoop sand;sprint to the gate;vault over logs;prance like a pony;waddle like a duck;roar like a lion;howl at the wind;flutter like a butterfly;stalk pretend tigers;parade around the garden;frolic in the meadow;scamper through the grass;trot* like a horse;tiptoe through the hall;rummage through old boxes;rescue pretend princesses;launch toy rockets;steer a pretend ship;act>acted>acting like a clown;wiggle like a worm"),
        (VerbKind.Calm, "read>read>reading books/stories/about the stars;draw>drew>drawing pictures/animals/funny faces;paint pictures/flowers/the sky;dream about the sea/of flying/of faraway lands;think>thought>thinking about space/about big questions;wonder about the stars/about the moon;watch the clouds/the birds/the rain;listen to stories/to the birds/to the rain;rest under the old tree/in the shade;sit>sat>sitting by the window/in the sun;count the stars/sheep/the clouds;sing>sang>singing little songs/in the bath;whistle a happy tune;hum* a soft tune;whisper secrets/to the flowers;write>wrote>writing letters/poems/little stories;color* pictures/with crayons;smell the flowers/fresh bread;stare at the moon/at the fire;look at the stars/at old pictures;nap* in the sun/on the sofa;imagine new worlds/strange animals;study the map/bugs;admire the roses/the view;tell>told>telling jokes/stories;solve puzzles/riddles;snuggle under a blanket;feed>fed>feeding the ducks/the birds;pet* the cat/the old dog;brush the pony;knit* scarves/little hats;sew>sewed>sewing tiny clothes;stack blocks/stones;sort buttons/shells;fold paper boats/paper birds;cut>cut>cutting shapes out of paper;glue leaves onto paper;relax in the garden;wait for the rain to stop/for the moon;lie>lay>lying in the grass;enjoy the sunshine/the quiet;visit old friends/the library;learn new words/about animals;remember happy days;talk to the moon/to the animals;chat* with the neighbors;sip* warm milk;bathe>bathed>bathing in the sun;cuddle the kitten;hug* a soft pillow;gaze at the sea;hear>heard>hearing old tales;trace letters;sketch trees;peek out of the window;arrange flowers;pray at night;name the stars;compare leaves;notice tiny things;breathe the fresh air;doodle on paper;daydream;ponder hard questions;browse old magazines;observe the ants;mold clay animals;weave>wove>weaving little mats;string>strung>stringing beads;embroider flowers;nibble cookies;munch apples;taste new foods;greet the neighbors;recite poems;memorize songs;inspect tiny bugs;examine old coins;organize little boxes;label leaves;invent stories;plan* big trips;paste pictures into a book;feel>felt>feeling the soft grass;warm cold hands by the fire;lean against the old tree;swap* stories;practice magic tricks"),
        (VerbKind.Chore, "wash the dishes/the car/the windows;sweep>swept>sweeping the floor/the porch;clean the kitchen/the house;cook dinner/soup;bake bread/cookies;mix the batter;stir* the soup;pour the milk/the tea;peel the potatoes/the carrots;chop* the carrots;cut>cut>cutting the grass;mop* the floor;dust the shelves;fold the clothes/the towels;hang>hung>hanging the clothes;iron the shirts;water the plants/the flowers;plant seeds/beans;pick apples/berries;rake the leaves;shovel the snow;carry the wood/the bags/water;fix the fence/the gate;paint the fence/the wall;feed>fed>feeding the hens/the pigs;milk the cow;set>set>setting the table;make>made>making the beds/lunch;pack the bags/a picnic;tidy>tidied>tidying the room;scrub* the tub/the pots;polish the shoes;dry>dried>drying the dishes;fill the bucket/the jars;empty>emptied>emptying the baskets;wipe the table;load the cart;unload the truck;bring>brought>bringing in the wood;buy>bought>buying food/some milk;sell>sold>selling apples;weed the garden;dig>dug>digging the garden;repair the roof/the old chair;measure the flour;squeeze the lemons;roll the dough;knead the dough;sort the socks;lift the boxes;move the chairs/the boxes;push the cart;pull the weeds;drag* the branches away;trim* the hedge;collect the eggs;gather firewood/nuts;stack the wood;wrap* the gifts;mail the letters;light>lit>lighting the candles;decorate the room/the tree;open the windows;close the gate;rinse the cups;shake>shook>shaking the rugs;build>built>building a shelf;sew>sewed>sewing the buttons;mend the socks;guard the sheep;brush the horse;pump* water;spread>spread>spreading the hay;arrange the chairs;shine>shined>shining the boots;freeze>froze>freezing the berries;melt the butter;slice the bread;serve the soup;hammer the nails;tie>tied>tying the knots;count the eggs;crack the eggs;grow>grew>growing beans;grate the cheese;strain the soup;whisk the eggs;pack the boxes;stuff the pillows;nail the boards;sand the table;oil the hinges;sharpen the pencils;patch the tent;plow the field;harvest the corn;herd the goats;groom the pony;chase the hens out of the garden;deliver the letters;label the jars;unpack the boxes;rearrange the shelves;vacuum the rug;soak the beans;heat the soup;husk the corn;pit* the cherries;shell the peas;untie the boats;pitch the tent;tend the fire"),
        (VerbKind.Skill, "swim>swam>swimming;ride>rode>riding a bike/a horse;skate;whistle;juggle;dance;sing>sang>singing;read>read>reading;write>wrote>writing;cook;sew>sewed>sewing;knit*;paint;draw>drew>drawing;dive>dived>diving;ski>skied>skiing;surf;catch>caught>catching a ball;throw>threw>throwing far;climb;tie>tied>tying knots;count to a hundred;play the drums/the piano;spell long words;fish;sail a boat;row a boat;fly>flew>flying a kite;hop* on one leg;somersault;bake bread;speak>spoke>speaking loudly;tell>told>telling the time;snap* with two fingers;balance on one foot;float on the water;spin>spun>spinning a hoop;kick a ball;bounce a ball;blow>blew>blowing bubbles;tap-dance;drum*;carve wood;weave>wove>weaving baskets;plant seeds;build>built>building a fire"),
        (VerbKind.Joy, "laugh/laugh out loud;cheer;clap*;giggle;smile from ear to ear;dance around the room;jump for joy;sing>sang>singing a happy song;hug* each other;shout with joy;skip* with joy;wave to the sky;grin*;twirl around;spin>spun>spinning in a circle;celebrate;beam with joy;whoop with joy;hop* up and down;chuckle;squeal with joy;wiggle with joy;sparkle with joy;roar with laughter;whistle a tune;hum* a tune;glow with joy"));

    private static readonly Dictionary<VerbKind, VerbPhrase[]> Kinds = All.GroupBy(v => v.Kind).ToDictionary(g => g.Key, g => g.ToArray());

    public static IReadOnlyList<VerbPhrase> Of(VerbKind kind) => Kinds[kind];

    private static List<VerbPhrase> Parse(params (VerbKind Kind, string Words)[] groups)
    {
        var all = new List<VerbPhrase>();
        foreach (var (kind, words) in groups)
        {
            foreach (var entry in words.Split(';'))
            {
                int space = entry.IndexOf(' ');
                string head = space < 0 ? entry : entry[..space];
                string[] rests = space < 0 ? [""] : entry[(space + 1)..].Split('/');
                if (head.Contains('/'))
                {
                    head = head[..head.IndexOf('/')];
                    rests = [""];
                }

                string[] forms = head.Split('>');
                string verb = forms[0].TrimEnd('*');
                bool doubled = forms[0].EndsWith('*');
                string past = forms.Length > 1 ? forms[1] : Inflection.Past(verb, doubled);
                string ing = forms.Length > 2 ? forms[2] : Inflection.Ing(verb, doubled);
                foreach (var rest in rests)
                    all.Add(new VerbPhrase(verb, past, ing, rest, kind));
            }
        }

        return all;
    }
}
